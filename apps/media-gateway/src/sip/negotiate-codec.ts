/** The codecs of calls, by the names of SDP, best first. */
export const VOICE_CODECS = ['opus', 'G722', 'PCMU', 'PCMA'] as const;
export type VoiceCodecName = (typeof VOICE_CODECS)[number];

/** The clock rates of SDP. RFC 3551: G.722 says 8000 although it samples at 16 kHz. */
export const CLOCK_RATES: Readonly<Record<VoiceCodecName, number>> = {
  opus: 48_000,
  G722: 8_000,
  PCMU: 8_000,
  PCMA: 8_000,
};

/** RFC 3551, section 6: payload types that need no `a=rtpmap`. */
const STATIC_TYPES: readonly (readonly [number, string])[] = [
  [0, 'PCMU/8000'],
  [8, 'PCMA/8000'],
  [9, 'G722/8000'],
  [13, 'CN/8000'],
];

export interface NegotiatedAudio {
  readonly codec: VoiceCodecName;
  readonly payloadType: number;
  /** Digits by RTP (RFC 4733). Undefined: the other side neither sends nor takes them. */
  readonly dtmf: { readonly payloadType: number; readonly clockRate: number } | undefined;
}

/** Returns the lines of the first audio section of an SDP; undefined when it has none or refuses it. */
function audioSection(sdp: string): string[] | undefined {
  const lines = sdp.split(/\r?\n/);
  const start = lines.findIndex((line) => line.startsWith('m=audio '));
  if (start === -1 || lines[start]!.startsWith('m=audio 0 ')) return undefined;
  const end = lines.findIndex((line, index) => index > start && line.startsWith('m='));
  return lines.slice(start, end === -1 ? undefined : end);
}

/**
 * Chooses the codec of a call from the SDP of the other side: the first in its order of preference
 * that is supported.
 * @returns undefined when none is: the call gets 488
 */
export function negotiateAudio(sdp: string, supported: readonly VoiceCodecName[]): NegotiatedAudio | undefined {
  const section = audioSection(sdp);
  if (section === undefined) return undefined;
  const offered = section[0]!.trim().split(/\s+/).slice(3).map(Number);
  const encodings = new Map<number, string>(STATIC_TYPES);
  for (const line of section) {
    const [, type, encoding] = /^a=rtpmap:(\d+) (\S+)/.exec(line) ?? [];
    if (type !== undefined && encoding !== undefined) encodings.set(Number(type), encoding);
  }
  const named = offered.map((type) => {
    const [name = '', rate] = (encodings.get(type) ?? '').split('/');
    return { type, name, rate: Number(rate) };
  });
  for (const { type, name, rate } of named) {
    const codec = supported.find((one) => one.toLowerCase() === name.toLowerCase() && CLOCK_RATES[one] === rate);
    if (codec === undefined) continue;
    const events = named.filter((one) => one.name.toLowerCase() === 'telephone-event' && one.rate > 0);
    // With several, the one of the codec's clock rate counts.
    const event = events.find((one) => one.rate === rate) ?? events[0];
    return {
      codec,
      payloadType: type,
      dtmf: event === undefined ? undefined : { payloadType: event.type, clockRate: event.rate },
    };
  }
  return undefined;
}

/** Whether the other side wants to receive the audio. A phone that puts the call on hold does not. */
export function wantsAudio(sdp: string): boolean {
  const session = sdp.split(/\r?\n/);
  const media = session.findIndex((line) => line.startsWith('m='));
  // The direction of the media counts before that of the session.
  const lines = [...(audioSection(sdp) ?? []), ...session.slice(0, Math.max(0, media))];
  const direction = lines.find((line) => /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/.test(line));
  return direction === undefined || /^a=(sendrecv|recvonly)/.test(direction);
}

/**
 * Adds the `a=rtpmap` lines of static payload types, which SDP may leave out. werift ignores a codec
 * without one.
 */
export function addStaticRtpmaps(sdp: string): string {
  const section = audioSection(sdp);
  if (section === undefined) return sdp;
  const media = section[0]!;
  const offered = new Set(media.trim().split(/\s+/).slice(3).map(Number));
  const missing = STATIC_TYPES.filter(
    ([type]) => offered.has(type) && !section.some((line) => line.startsWith(`a=rtpmap:${type} `)),
  ).map(([type, encoding]) => `a=rtpmap:${type} ${encoding}`);
  return missing.length === 0 ? sdp : sdp.replace(media, [media, ...missing].join('\r\n'));
}
