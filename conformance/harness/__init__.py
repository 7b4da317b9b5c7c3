"""What plays a scenario against a gateway and writes down what was seen."""
