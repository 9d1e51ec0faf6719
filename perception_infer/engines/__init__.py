"""TensorRT engines: built in a child process, kept under all they depend on, and never taken on trust."""
