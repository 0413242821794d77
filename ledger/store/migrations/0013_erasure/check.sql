SELECT has_table_privilege('ledger_writer', 'directory.members', 'MAINTAIN')
   AND has_table_privilege('ledger_writer', 'directory.identities', 'MAINTAIN')
   AND NOT has_table_privilege('ledger_writer', 'directory.members', 'DELETE');
