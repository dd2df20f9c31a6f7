"""One dictionary trained by several processes, over `torch.distributed`."""
