"""What a run leaves behind: tables, metrics, the folder, the page. Reads results; decides nothing."""
