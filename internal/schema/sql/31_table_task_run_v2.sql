-- The same columns, defaults, primary key and indexes, under names of its own.
-- Replica identity and array dimensions do not come along: they are mended after.
CREATE TABLE task_run_v2 (LIKE "TaskRun" INCLUDING ALL);
