"""A session on the wall clock: the engine of a backtest, fed by streams, kept in a journal, looked after."""
