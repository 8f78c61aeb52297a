"""What is published beside the weights: model cards, and tables that are rendered from measured figures."""
