import { connect } from 'node:tls';
import { toConnectionError } from '@partyline/sdk/error';
import { SDK_VERSION } from '@partyline/sdk/version';
import type { Settings } from '../settings.ts';
import type { ReportFinding } from './finding.ts';

const TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;
const MIN_CERTIFICATE_DAYS = 14;
const MAX_CLOCK_SKEW_SECONDS = 30;
/** Signatures are accepted for five minutes. */
const MAX_SIGNATURE_AGE_SECONDS = 300;

/**
 * Checks the address, TLS, clock, version and the management port. Returns false when no Partyline
 * answers there.
 */
export async function checkServer({ url }: Settings, report: ReportFinding): Promise<boolean> {
  const startedAt = Date.now();
  const response = await fetch(`${url}/v1/openapi.json`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'manual',
  }).catch((error: unknown) => error as Error);
  if (response instanceof Error) {
    report({
      check: 'address',
      state: 'fail',
      message: toConnectionError(url, response).message,
      fix: 'Check the address, the network, and that room-api runs.',
    });
    return false;
  }
  const document = (await response.json().catch(() => null)) as { info?: { title?: string; version?: string } } | null;
  if (response.status !== 200 || document?.info?.title !== 'Partyline') {
    report({
      check: 'address',
      state: 'fail',
      message: `${url} responds with ${response.status} and is not a Partyline API.`,
      fix:
        response.status >= 300 && response.status < 400
          ? `Use the address that it redirects to: ${response.headers.get('location') ?? 'unknown'}.`
          : 'Use the address of room-api, without a path.',
    });
    return false;
  }
  report({ check: 'address', state: 'ok', message: `${url} responds in ${Date.now() - startedAt} ms` });
  await checkTls(url, report);
  checkClock(response.headers.get('date'), Date.now(), report);
  checkVersion(document.info.version ?? '?', report);
  await checkManagementPort(url, report);
  return true;
}

async function checkTls(url: string, report: ReportFinding): Promise<void> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'https:') {
    const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
    report({
      check: 'TLS',
      state: isLocal ? 'ok' : 'fail',
      message: isLocal ? 'not needed on this machine' : 'The key is sent unencrypted.',
      ...(!isLocal && { fix: 'Terminate TLS in front of room-api and use https://.' }),
    });
    return;
  }
  const validTo = await new Promise<Date | Error>((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 443), servername: hostname }, () => {
      resolve(new Date(socket.getPeerCertificate().valid_to));
      socket.end();
    });
    socket.on('error', resolve);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no response')));
  });
  if (validTo instanceof Error)
    return report({
      check: 'TLS',
      state: 'fail',
      message: validTo.message,
      fix: 'Renew the certificate, or issue one for this host name.',
    });
  const days = Math.floor((validTo.getTime() - Date.now()) / DAY_MS);
  const isExpiring = days < MIN_CERTIFICATE_DAYS;
  return report({
    check: 'TLS',
    state: isExpiring ? 'warn' : 'ok',
    message: `the certificate expires in ${days} days`,
    ...(isExpiring && { fix: 'Renew the certificate.' }),
  });
}

function checkClock(dateHeader: string | null, now: number, report: ReportFinding): void {
  const serverTime = Date.parse(dateHeader ?? '');
  if (Number.isNaN(serverTime))
    return report({ check: 'clock', state: 'unknown', message: 'The server sends no Date header.' });
  const skewSeconds = Math.round(Math.abs(now - serverTime) / 1000);
  if (skewSeconds > MAX_CLOCK_SKEW_SECONDS)
    return report({
      check: 'clock',
      state: skewSeconds > MAX_SIGNATURE_AGE_SECONDS ? 'fail' : 'warn',
      message: `The clocks of this machine and the server differ by ${skewSeconds} s.`,
      fix: 'Synchronize both with NTP: signatures expire after five minutes.',
    });
  return report({ check: 'clock', state: 'ok', message: `differs by ${skewSeconds} s` });
}

function checkVersion(version: string, report: ReportFinding): void {
  const majorMinor = (text: string): string => text.split('.').slice(0, 2).join('.');
  const isSame = majorMinor(version) === majorMinor(SDK_VERSION);
  report({
    check: 'version',
    state: isSame ? 'ok' : 'warn',
    message: isSame ? `the API has version ${version}` : `The API has version ${version}, this tool ${SDK_VERSION}.`,
    ...(!isSame && { fix: "Use the tool of the API's version." }),
  });
}

/** The management port serves the metrics of all tenants; a proxy must not forward to it. */
async function checkManagementPort(url: string, report: ReportFinding): Promise<void> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' }).catch(
    () => null,
  );
  const isExposed = response?.status === 200;
  report({
    check: 'management',
    state: isExposed ? 'fail' : 'ok',
    message: isExposed ? '/metrics is reachable at this address.' : '/metrics is not reachable at this address',
    ...(isExposed && { fix: 'Forward only to PORT of room-api, never to MANAGEMENT_PORT.' }),
  });
}
