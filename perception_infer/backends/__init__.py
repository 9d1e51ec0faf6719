"""What runs a graph. Each backend is one module, imported only when it is chosen (`select`)."""
