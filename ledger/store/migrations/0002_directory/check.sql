SELECT has_table_privilege('ledger_writer', 'directory.members', 'SELECT')
   AND has_table_privilege('ledger_writer', 'directory.tokens', 'UPDATE')
   AND NOT has_table_privilege('ledger_reader', 'directory.tokens', 'SELECT');
