import { localKeyService } from '@partyline/conference/crypto/key-service';
import { rewrapDataKeys } from '@partyline/conference/crypto/rewrap-data-keys';
import { ConfigError, readConfig } from '@partyline/runtime/config';
import { openStore } from '@partyline/store/database/store';

/** Moves tenants' data keys to a new master key: docs/accounts.md. */
const HELP = `DATABASE_URL=… MASTER_KEYS=new:…,old:… npm run rewrap

Wraps every tenant's data key with the first of MASTER_KEYS, so that the others can be taken out. Services may run meanwhile, if they have both. Prints how many it
wrapped, and how many each master key has wrapped then.`;

if (process.argv.length > 2) {
  console.log(HELP);
  process.exitCode = ['--help', '-h'].includes(process.argv[2]!) ? 0 : 2;
} else {
  try {
    const { database, accounts } = readConfig(process.env, ['database', 'accounts']);
    if (accounts.MASTER_KEYS === undefined) throw new ConfigError(['MASTER_KEYS: is not set']);
    const store = openStore({ url: database.DATABASE_URL, max: 1, onError: (error) => console.error(error.message) });
    try {
      const { rewrapped, now } = await rewrapDataKeys({ store, keys: localKeyService(accounts.MASTER_KEYS) });
      console.log(`${rewrapped} data keys wrapped anew with ${accounts.MASTER_KEYS[0].id}`);
      for (const { keyId, keys } of now) console.log(`  ${keyId}: ${keys}`);
      const { length } = now.filter(({ keyId }) => keyId !== accounts.MASTER_KEYS?.[0].id);
      if (length > 0) process.exitCode = 1;
    } finally {
      await store.close();
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
