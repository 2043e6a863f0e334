"""Model directories that others can use: template, stops and card beside the weights, pushed to the Hub on request."""
