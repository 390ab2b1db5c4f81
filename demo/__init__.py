"""The whole loop on simulated portfolios, for real: train, serve, plant a fault, watch, retrain, promote, count."""
