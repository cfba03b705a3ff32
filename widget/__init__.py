"""The public faces of a campaign's progress: the element, the iframe and the JSON behind them."""
