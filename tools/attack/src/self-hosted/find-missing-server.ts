import { findJanus } from '@partyline/dev/janus/janus-binary';
import { findKamailio } from '@partyline/dev/kamailio/kamailio-binary';
import { findBaresip, findEspeak, findFlite } from '@partyline/dev/packages/programs';

/** Returns why our own servers and phones cannot run on this system, in a sentence; null: they can. */
export async function findMissingServer(log: (line: string) => void): Promise<string | null> {
  try {
    for (const find of [findKamailio, findJanus, findBaresip, findFlite, findEspeak]) await find(log);
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  }
}
