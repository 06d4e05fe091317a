"""Train one arm from Python, and look at its scores and predictions.

    python examples/train_one_arm.py            # the profile "quick": minutes
    python examples/train_one_arm.py smoke      # seconds

Trained runs are kept in results/runs of the folder that you call it in: a second call loads them.
"""

import sys

import replicate


def main(profile: str = "quick") -> None:
    """Train COGMEN-Mask, which uses audio and video with masked training, and test it on audio alone and on both."""
    run = replicate.train("COGMEN-Mask", corpus="synthetic-small", profile=profile, seed=24)

    print(f"trained on {run.record.corpus.name} in {run.record.seconds:.0f} s; best epoch {run.record.best_epoch}")
    for context in run.record.arm.contexts:
        print(f"{context} inference: weighted F1 {run.f1(context):.3f}, UA {run.score('ua', context):.3f}")

    found = run.predictions("test", "A")
    for dialogue, label, predicted in list(zip(found.dialogues, found.labels, found.predicted, strict=True))[:5]:
        print(f"{dialogue}: {found.classes[label]}, predicted {found.classes[predicted]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
