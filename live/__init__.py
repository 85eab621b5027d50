"""The same session on the wall clock: runner, recovery, reconciliation and alerts will live here. Nothing yet."""
