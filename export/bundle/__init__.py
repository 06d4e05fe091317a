"""Write and check a bundle: choose the run to export, write and quantise its model, and describe it in a model card."""
