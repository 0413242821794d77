SELECT (SELECT count(*) = 3 FROM pg_trigger WHERE tgname = 'moved' AND tgfoid = 'directory.moved'::regproc)
   AND (SELECT count(*) = 2 FROM directory.revisions)
   AND has_table_privilege('ledger_reader', 'directory.revisions', 'SELECT')
   AND NOT has_table_privilege('ledger_writer', 'directory.revisions', 'UPDATE')
   AND NOT has_function_privilege('ledger_writer', 'directory.moved()', 'EXECUTE');
