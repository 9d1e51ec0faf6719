"""Fine-tune a trained model on a little real data, and measure what that is worth."""
