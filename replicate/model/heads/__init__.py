"""Additional heads of the model, which some distillation methods need."""

from torch import nn

from replicate.model.heads.decoupler import Decoupler
from replicate.model.heads.hallucinator import Hallucinator

# Class of each additional head, by the field of ``ModelConfig`` that holds the head's size.
HEADS: dict[str, type[nn.Module]] = {"decoupled": Decoupler, "hallucinated": Hallucinator}
