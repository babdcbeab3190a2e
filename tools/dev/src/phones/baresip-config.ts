/** An audio codec of baresip, by its name in SDP. */
export type Codec = 'PCMU' | 'PCMA' | 'G722' | 'opus';

interface CodecFacts {
  readonly module: string;
  /** `name/rate/channels` as an account names it. */
  readonly inAccount: string;
  /** The rate at which baresip reads and writes samples, in Hz. */
  readonly rate: number;
}

export const CODECS: Readonly<Record<Codec, CodecFacts>> = {
  PCMU: { module: 'g711.so', inAccount: 'PCMU/8000/1', rate: 8000 },
  PCMA: { module: 'g711.so', inAccount: 'PCMA/8000/1', rate: 8000 },
  G722: { module: 'g722.so', inAccount: 'G722/16000/1', rate: 16_000 },
  opus: { module: 'opus.so', inAccount: 'opus/48000/2', rate: 48_000 },
};

/** A registration with a registrar. */
export interface Registration {
  /** Where the registrar and proxy listens, e.g. `127.0.0.1:5060`. */
  readonly address: string;
  readonly password: string;
  /** Name for the digest; the SIP user by default. */
  readonly authUser?: string;
  /** Seconds until it expires. 60 by default. */
  readonly expiresSeconds?: number;
}

export interface BaresipAccount {
  readonly user: string;
  /** The domain of its address of record. */
  readonly domain: string;
  readonly displayName?: string;
  readonly codecs: readonly Codec[];
  readonly answer: 'auto' | 'manual';
  readonly ptimeMs: number;
  readonly registration?: Registration;
  /** A proxy that gets all requests, e.g. `127.0.0.1:5060`. */
  readonly outboundProxy?: string;
  /** Signals by TLS and encrypts its sound, with keys in the SDP. */
  readonly encrypts?: boolean;
}

export interface BaresipSettings {
  /** The IPv4 address of its SIP. */
  readonly address: string;
  /** The IPv4 address of its sound and of its control connection, from which baresip sends sound in any case. */
  readonly mainAddress: string;
  readonly sipPort: number;
  readonly controlPort: number;
  /** The folder of the modules. Undefined: where baresip was installed. */
  readonly modules: string | undefined;
  readonly codecs: readonly Codec[];
  /** The rate of the file that stands in for the microphone, in Hz. */
  readonly microphoneRate: number;
  readonly maxCalls: number;
  readonly rtpPorts: { readonly first: number; readonly last: number };
  /** Packets that the jitter buffer holds, at least and at most. Undefined: no jitter buffer. */
  readonly jitterBuffer?: readonly [min: number, max: number];
  /** Listens for TLS too, on the port after its own, with the certificate of `CERTIFICATE_FILE`. */
  readonly encrypts?: boolean;
}

/** Its certificate and key in its folder, as PEM. */
export const CERTIFICATE_FILE = 'certificate.pem';

/** The file in the folder of a phone that stands in for its microphone. */
export const MICROPHONE_FILE = 'mic.wav';

/** Returns the file `config` of baresip 1.0.0 for a phone on loopback. */
export function describeConfig(settings: BaresipSettings): string {
  return [
    'poll_method epoll',
    `sip_listen ${settings.address}:${settings.sipPort}`,
    // baresip would otherwise write the address of the first network interface into its SDP.
    `net_interface ${settings.mainAddress}`,
    // Loopback needs no names. An empty list would read /etc/resolv.conf.
    'dns_server 127.0.0.1:9',
    'call_local_timeout 120',
    `call_max_calls ${settings.maxCalls}`,
    `audio_source aufile,${MICROPHONE_FILE}`,
    `ausrc_srate ${settings.microphoneRate}`,
    'ausrc_channels 1',
    ...['ausrc', 'auplay', 'auenc', 'audec'].map((side) => `${side}_format s16`),
    `rtp_ports ${settings.rtpPorts.first}-${settings.rtpPorts.last}`,
    `jitter_buffer_delay ${(settings.jitterBuffer ?? [0, 0]).join('-')}`,
    'statmode_default off',
    'menu_bell no',
    'ringback_disabled yes',
    'snd_path .',
    ...(settings.modules === undefined ? [] : [`module_path ${settings.modules}`]),
    ...new Set(settings.codecs.map((codec) => `module ${CODECS[codec].module}`)),
    ...(settings.encrypts ? ['module srtp.so', `sip_certificate ${CERTIFICATE_FILE}`] : []),
    'module aufile.so',
    'module sndfile.so',
    'module_app menu.so',
    'module_app ctrl_tcp.so',
    `ctrl_tcp_listen ${settings.mainAddress}:${settings.controlPort}`,
    '',
  ].join('\n');
}

/** Returns the account as baresip's command `uanew` takes it. */
export function describeAccount(account: BaresipAccount): string {
  const { registration } = account;
  const proxy = account.outboundProxy ?? registration?.address;
  const parameters = [
    `answermode=${account.answer}`,
    `ptime=${account.ptimeMs}`,
    `audio_codecs=${account.codecs.map((codec) => CODECS[codec].inAccount).join(',')}`,
    `regint=${registration ? (registration.expiresSeconds ?? 60) : 0}`,
    ...(proxy === undefined ? [] : [`outbound="sip:${proxy}${account.encrypts ? ';transport=tls' : ''}"`]),
    ...(account.encrypts ? ['mediaenc=srtp-mand'] : []),
    ...(registration
      ? [`auth_user=${registration.authUser ?? account.user}`, `auth_pass=${registration.password}`]
      : []),
  ];
  const name = account.displayName === undefined ? '' : `"${account.displayName}" `;
  return `${name}<sip:${account.user}@${account.domain}>;${parameters.join(';')}`;
}
