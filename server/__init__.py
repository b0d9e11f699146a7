"""Running Triton: the launcher of the wheel's tritonserver and the backends it is given."""
