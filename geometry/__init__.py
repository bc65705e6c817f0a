"""Where things are: detector cards, helices, colliding beams."""
