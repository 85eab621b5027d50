"""Named market weather and what must hold in it: data and small generators, no trading code. None is written yet."""
