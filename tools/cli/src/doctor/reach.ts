import { connect } from 'node:tls';
import { SDK_VERSION } from '@partyline/sdk/version';
import type { Settings } from '../settings.ts';
import type { Found } from './finding.ts';

const TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;

/** Is there a Partyline at the address, safely reached, in time and of our version? Tells whether there is one at all. */
export async function reachChecks({ url }: Settings, found: Found): Promise<boolean> {
  const asked = Date.now();
  const response = await fetch(`${url}/v1/openapi.json`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'manual',
  }).catch((error: unknown) => error as Error);
  if (response instanceof Error) {
    found({
      what: 'address',
      state: 'fail',
      says: `${url} gives no answer: ${reasonOf(response)}`,
      next: 'Check the address and the network, and whether room-api runs.',
    });
    return false;
  }
  const document = (await response.json().catch(() => null)) as { info?: { title?: string; version?: string } } | null;
  if (response.status !== 200 || document?.info?.title !== 'Partyline') {
    found({
      what: 'address',
      state: 'fail',
      says: `${url} answers ${response.status}, and is no Partyline.`,
      next:
        response.status >= 300 && response.status < 400
          ? `It leads to ${response.headers.get('location') ?? 'elsewhere'}: use that address.`
          : 'Give the address of room-api, without a path.',
    });
    return false;
  }
  found({ what: 'address', state: 'ok', says: `${url} answers in ${Date.now() - asked} ms` });
  await checkTls(url, found);
  checkClock(response.headers.get('date'), Date.now(), found);
  checkVersion(document.info.version ?? '?', found);
  await checkReady(url, found);
  return true;
}

async function checkTls(url: string, found: Found): Promise<void> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'https:') {
    const here = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
    found({
      what: 'TLS',
      state: here ? 'ok' : 'fail',
      says: here ? 'not used, on this machine' : 'The key crosses the network in the clear.',
      ...(!here && { next: 'Put TLS before room-api and use https://.' }),
    });
    return;
  }
  const until = await new Promise<Date | Error>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 443), servername: hostname }, () => {
      resolve(new Date(socket.getPeerCertificate().valid_to));
      socket.end();
    });
    socket.on('error', resolve);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  });
  if (until instanceof Error)
    return found({
      what: 'TLS',
      state: 'fail',
      says: until.message,
      next: 'Renew the certificate, or have it name this host.',
    });
  const days = Math.floor((until.getTime() - Date.now()) / DAY_MS);
  return found({
    what: 'TLS',
    state: days < 14 ? 'warn' : 'ok',
    says: `the certificate holds for ${days} days`,
    ...(days < 14 && { next: 'Renew it.' }),
  });
}

/** How far this machine's clock is from the server's: tokens and signatures hold for minutes. */
function checkClock(date: string | null, now: number, found: Found): void {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs))
    return found({ what: 'clock', state: 'unknown', says: 'The server does not say what time it has.' });
  const apart = Math.round(Math.abs(now - theirs) / 1000);
  if (apart > 30)
    return found({
      what: 'clock',
      state: apart > 300 ? 'fail' : 'warn',
      says: `This machine and the server are ${apart} s apart.`,
      next: 'Set both by NTP: signatures are taken within five minutes.',
    });
  return found({ what: 'clock', state: 'ok', says: `${apart} s apart` });
}

function checkVersion(version: string, found: Found): void {
  const line = (text: string): string => text.split('.').slice(0, 2).join('.');
  const same = line(version) === line(SDK_VERSION);
  found({
    what: 'version',
    state: same ? 'ok' : 'warn',
    says: same ? `the API’s is ${version}` : `The API is of version ${version}, this tool of ${SDK_VERSION}.`,
    ...(!same && { next: 'Use the tool of the API’s version.' }),
  });
}

/** Only where the probe is not kept to the inside, as it should be. */
async function checkReady(url: string, found: Found): Promise<void> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' }).catch(
    () => null,
  );
  if (response === null || (response.status !== 200 && response.status !== 503))
    return found({
      what: 'ready',
      state: 'unknown',
      says: '/readyz is not open to you, which is as it should be from outside.',
    });
  const state = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const down = Object.entries(state)
    .filter(([, value]) => value === 'down')
    .map(([name]) => name);
  if (response.status === 200) return found({ what: 'ready', state: 'ok', says: 'room-api can do its work' });
  return found({
    what: 'ready',
    state: 'fail',
    says:
      state['stopping'] === true
        ? 'room-api is being stopped.'
        : `room-api cannot do its work: ${down.join(', ') || 'not ready'}.`,
    next: 'Look at its log; docs/operators.md, When something is away.',
  });
}

/** What a failed fetch is about stands in its cause. */
function reasonOf(error: Error): string {
  const { cause } = error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0] as Error);
  return cause instanceof Error ? reasonOf(cause) : error.message;
}
