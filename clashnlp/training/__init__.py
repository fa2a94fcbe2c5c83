"""How is a model made? Annotated documents in, a model folder out (extra `train`)."""
