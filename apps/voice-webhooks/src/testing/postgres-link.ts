import { openLink, type Link } from '@partyline/dev/faults/proxy';
import { findFreePort } from '@partyline/dev/processes/ports';

/** Opens a link to a database, for faults. `url` leads through it. */
export async function linkToPostgres(databaseUrl: string): Promise<{ link: Link; url: string }> {
  const { hostname: host, port } = new URL(databaseUrl);
  const link = await openLink({
    name: 'postgres',
    port: await findFreePort(),
    targets: [{ host, port: Number(port) }],
  });
  const url = new URL(databaseUrl);
  url.port = String(link.port);
  return { link, url: url.href };
}
