"""Additional heads of the model, which some distillation methods need; this module imports none of them."""

# Module of each additional head, by the field of ``ModelConfig`` that holds the head's size.
HEADS: dict[str, str] = {
    "decoupled": "replicate.model.heads.decoupler",
    "hallucinated": "replicate.model.heads.hallucinator",
}
