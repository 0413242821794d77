SELECT (SELECT count(*) = 2 FROM pg_trigger WHERE tgrelid = 'directory.access'::regclass AND tgenabled = 'A')
   AND has_table_privilege('ledger_writer', 'directory.identities', 'DELETE')
   AND has_column_privilege('ledger_writer', 'directory.access', 'kind', 'INSERT')
   AND NOT has_column_privilege('ledger_writer', 'directory.access', 'recorded_at', 'INSERT')
   AND NOT has_table_privilege('ledger_writer', 'directory.access', 'UPDATE')
   AND NOT has_table_privilege('ledger_reader', 'directory.identities', 'SELECT');
