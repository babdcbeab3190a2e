import {
  DEFAULT_EVENT_TYPE,
  DEFAULT_PTIME_MS,
  PAYLOAD_TYPES,
  renderRtp,
  type RtpOptions,
  type SoundPart,
} from './rtp-script.ts';

/** A step of a call that is up. */
export type CallStep =
  | { readonly pauseMs: number }
  /** Sends sound and keys in one stream. The next step follows at its end, or at once. */
  | {
      readonly play: readonly SoundPart[];
      readonly rtp?: Omit<RtpOptions, 'codec' | 'ptimeMs' | 'eventType'>;
      readonly wait?: boolean;
    }
  /**
   * Sends a re-INVITE with this direction of its sound, e.g. `inactive` to hold the call. `offerless`
   * offers nothing, and answers in its ACK.
   */
  | { readonly renegotiate: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive' | 'offerless' }
  /** Sends keys by SIP INFO. `dtmf-relay` names the key and its length, `dtmf` only the key. */
  | {
      readonly infoKeys: string;
      readonly format?: 'dtmf-relay' | 'dtmf-relay-spaced' | 'dtmf';
      readonly gapMs?: number;
    };

type OfferedCodec = 'PCMU' | 'PCMA' | 'G729';
const OFFERED_TYPES: Readonly<Record<OfferedCodec, number>> = { ...PAYLOAD_TYPES, G729: 18 };

export interface CallFlow {
  readonly steps?: readonly CallStep[];
  /**
   * How it ends after the steps. `wait-for-bye` answers re-INVITEs meanwhile. A caller that
   * `leaves` forgets the call and sends no BYE. `bye` by default.
   */
  readonly end?: 'bye' | 'wait-for-bye' | 'leaves';
  /** In order of preference. PCMU by default; the sound is sent in the first. It cannot send G729. */
  readonly codecs?: readonly OfferedCodec[];
  readonly ptimeMs?: number;
  /** The payload type of telephone-events; undefined: 101. `none`: does not offer them. */
  readonly eventType?: number | 'none';
  /** Further lines of the media description, e.g. `a=sendonly`. */
  readonly sdpLines?: readonly string[];
  /** Leaves out `a=rtpmap` of static payload types, which is legal. */
  readonly omitStaticRtpmap?: boolean;
  /** Headers of its INVITE or of its 200, e.g. `['X-Id', '7']`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** A scenario of calls that SIPp places. */
export interface CallerScenario extends CallFlow {
  readonly kind: 'caller';
  /** The user that it calls. */
  readonly to: string;
  /** The user that calls. */
  readonly from?: string;
  /** A URI, e.g. `sip:+4420@trunk.example`. */
  readonly assertedIdentity?: string;
  /** Hides `from`: From is anonymous, with `Privacy: id`. */
  readonly anonymous?: boolean;
  /** Offers nothing in the INVITE, and answers the offer of the 200 in its ACK. */
  readonly offerless?: boolean;
  /** Expects this challenge to its INVITE, and answers it. */
  readonly challenge?: { readonly status: 401 | 407; readonly user: string; readonly password: string };
  /** Expects that the call is finally refused with this status. */
  readonly refusedWith?: number;
  /** Cancels the call this long after the provisional response `after`. */
  readonly cancel?: { readonly after: 100 | 180 | 183; readonly waitMs: number };
}

/** A scenario of calls that SIPp receives. */
export interface CalleeScenario extends CallFlow {
  readonly kind: 'callee';
  /** Whether it sends 180. True by default. */
  readonly rings?: boolean;
  /** Challenges the first INVITE, and expects an INVITE with credentials. */
  readonly challenge?: { readonly status: 401 | 407; readonly realm: string };
  /** Sends 183 with SDP, and this sound. */
  readonly earlyMedia?: readonly SoundPart[];
  /** Waits before its final response. */
  readonly waitMs?: number;
  /** Refuses the call with this status. */
  readonly refuseWith?: readonly [status: number, reason: string];
  /** Never answers, and expects a CANCEL. */
  readonly neverAnswers?: boolean;
}

export type Scenario = CallerScenario | CalleeScenario;

/** A scenario of SIPp as XML, and the captures that it plays, by their file names. */
export interface SippScript {
  readonly xml: string;
  readonly captures: ReadonlyMap<string, ReturnType<typeof renderRtp>['packets']>;
}

/** Writes a scenario as SIPp 3.6 reads it. */
export function describeScenario(scenario: Scenario): SippScript {
  return new ScriptWriter(scenario).write();
}

const INVITE_BRANCH = 'z9hG4bK-[pid]-[call_number]-invite';
const LOCAL_TAG = '[pid]p[call_number]';
const VIA = (branch: string): string => `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`;
const DTMF_MS = 160;

class ScriptWriter {
  readonly #scenario: Scenario;
  readonly #steps: string[] = [];
  readonly #captures = new Map<string, ReturnType<typeof renderRtp>['packets']>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  write(): SippScript {
    if (this.#scenario.kind === 'caller') this.#writeCaller(this.#scenario);
    else this.#writeCallee(this.#scenario);
    const xml = [
      '<?xml version="1.0" encoding="ISO-8859-1" ?>',
      '<scenario name="partyline">',
      ...this.#steps,
      '</scenario>',
      '',
    ];
    return { xml: xml.join('\n'), captures: this.#captures };
  }

  #writeCaller(scenario: CallerScenario): void {
    const user = scenario.from ?? 'sipp';
    const from = scenario.anonymous
      ? `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=${LOCAL_TAG}`
      : `<sip:${user}@[local_ip]:[local_port]>;tag=${LOCAL_TAG}`;
    const to = `<sip:${scenario.to}@[remote_ip]:[remote_port]>`;
    const uri = `sip:${scenario.to}@[remote_ip]:[remote_port]`;
    const contact = `Contact: <sip:${scenario.anonymous ? 'anonymous' : user}@[local_ip]:[local_port]>`;
    const identity = [
      ...(scenario.assertedIdentity === undefined ? [] : [`P-Asserted-Identity: <${scenario.assertedIdentity}>`]),
      ...(scenario.anonymous ? ['Privacy: id'] : []),
      ...headerLines(scenario),
    ];
    const invite = (branch: string, credentials: string[]): void => {
      const head = [
        `From: ${from}`,
        `To: ${to}`,
        'Call-ID: [call_id]',
        'CSeq: [cseq] INVITE',
        contact,
        ...credentials,
        ...identity,
      ];
      this.#request(uri, 'INVITE', VIA(branch), head, scenario.offerless ? [] : this.#sdp(), 'retrans="500"');
    };
    const refusedAck = (): void =>
      this.#request(
        uri,
        'ACK',
        '[last_Via:]',
        [`From: ${from}`, '[last_To:]', 'Call-ID: [call_id]', 'CSeq: [cseq] ACK'],
        [],
      );
    const inDialog = (method: string, body: Body = [], attributes = ''): void => {
      const head = [
        '[routes]',
        `From: ${from}`,
        `To: ${to}[peer_tag_param]`,
        'Call-ID: [call_id]',
        `CSeq: [cseq] ${method}`,
        contact,
      ];
      this.#request('[next_url]', method, VIA('[branch]'), head, body, attributes);
    };

    invite(INVITE_BRANCH, []);
    if (scenario.challenge) {
      const { status, user: name, password } = scenario.challenge;
      this.#receive('response="100" optional="true"');
      this.#receive(`response="${status}" auth="true"`);
      refusedAck();
      invite(`${INVITE_BRANCH}2`, [`[authentication username=${name} password=${password}]`]);
    }
    if (scenario.cancel) {
      this.#writeCancel(scenario.cancel, uri, from, to, scenario.challenge ? `${INVITE_BRANCH}2` : INVITE_BRANCH);
      return refusedAck();
    }
    for (const status of [100, 180, 183]) this.#receive(`response="${status}" optional="true"`);
    if (scenario.refusedWith !== undefined) {
      this.#receive(`response="${scenario.refusedWith}"`);
      return refusedAck();
    }
    this.#receive('response="200" rrs="true"');
    inDialog('ACK', scenario.offerless ? this.#sdp() : []);
    this.#writeFlow((method, body) => {
      if (method === 'ACK') return inDialog(method, body);
      inDialog(method, body, 'retrans="500"');
      this.#receiveSuccess(method);
    });
  }

  #writeCancel(cancel: { after: number; waitMs: number }, uri: string, from: string, to: string, branch: string): void {
    for (const status of [100, 180, 183]) {
      if (status === cancel.after) break;
      this.#receive(`response="${status}" optional="true"`);
    }
    this.#receive(`response="${cancel.after}"`);
    this.#pause(cancel.waitMs);
    this.#request(
      uri,
      'CANCEL',
      VIA(branch),
      [`From: ${from}`, `To: ${to}`, 'Call-ID: [call_id]', 'CSeq: [cseq] CANCEL'],
      [],
      'retrans="500"',
    );
    // Those that crossed the CANCEL, and the response to it, which the 487 may overtake.
    for (const status of [180, 183, 200]) this.#receive(`response="${status}" optional="true"`);
    this.#receive('response="487"');
  }

  #writeCallee(scenario: CalleeScenario): void {
    const remember = [
      '<ereg regexp="Via:[^[:cntrl:]]*([[:cntrl:]]+Via:[^[:cntrl:]]*)*" search_in="msg" assign_to="vias"/>',
      '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>',
      '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>',
      '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>',
    ];
    const contact = 'Contact: <sip:sipp@[local_ip]:[local_port]>';
    const toInvite = (status: string, extra: string[] = [], body: Body = []): void =>
      this.#respond(status, ['[$vias]', 'From:[$from]', `To:[$to];tag=${LOCAL_TAG}`, 'CSeq:[$cseq]', ...extra], body);
    const toLast = (status: string, extra: string[] = [], body: Body = []): void =>
      this.#respond(status, ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_CSeq:]', ...extra], body);
    const inDialog = (method: string, body: Body): void => {
      const head = [
        '[routes]',
        `From:[$to];tag=${LOCAL_TAG}`,
        'To:[$from]',
        'Call-ID: [call_id]',
        `CSeq: [cseq] ${method}`,
        contact,
      ];
      this.#request('[next_url]', method, VIA('[branch]'), head, body, method === 'ACK' ? '' : 'retrans="500"');
      if (method !== 'ACK') this.#receiveSuccess(method);
    };

    this.#receive('request="INVITE" rrs="true"', remember);
    if (scenario.challenge) {
      const { status, realm } = scenario.challenge;
      const [reason, header] = status === 401 ? ['Unauthorized', 'WWW'] : ['Proxy Authentication Required', 'Proxy'];
      toInvite(`${status} ${reason}`, [
        `${header}-Authenticate: Digest realm="${realm}", nonce="[call_number]a7f3", algorithm=MD5`,
      ]);
      this.#receive('request="ACK"');
      const credentials = status === 401 ? 'Authorization:' : 'Proxy-Authorization:';
      this.#receive('request="INVITE" rrs="true"', [
        ...remember,
        `<ereg regexp="Digest.*" search_in="hdr" header="${credentials}" check_it="true" assign_to="credentials"/>`,
      ]);
      this.#reference('credentials');
    }
    if (scenario.rings ?? true) toInvite('180 Ringing', [contact, '[last_Record-Route:]']);
    if (scenario.earlyMedia) {
      toInvite('183 Session Progress', [contact, '[last_Record-Route:]'], this.#sdp());
      this.#play(scenario.earlyMedia, {}, true);
    }
    if (scenario.neverAnswers) {
      this.#receive('request="CANCEL"');
      toLast('200 OK');
      toInvite('487 Request Terminated');
      return this.#receive('request="ACK"');
    }
    if (scenario.waitMs !== undefined) this.#pause(scenario.waitMs);
    if (scenario.refuseWith) {
      toInvite(scenario.refuseWith.join(' '));
      return this.#receive('request="ACK"');
    }
    toInvite('200 OK', [contact, '[last_Record-Route:]', ...headerLines(scenario)], this.#sdp());
    this.#receive('request="ACK"');
    this.#writeFlow(inDialog);
  }

  /** @param send sends a request in the dialog and awaits its 200, unless it is an ACK */
  #writeFlow(send: (method: string, body: Body) => void): void {
    const { steps = [], end = 'bye' } = this.#scenario;
    for (const step of steps) {
      if ('pauseMs' in step) this.#pause(step.pauseMs);
      else if ('play' in step) this.#play(step.play, step.rtp ?? {}, step.wait ?? true);
      else if ('renegotiate' in step) {
        const isOfferless = step.renegotiate === 'offerless';
        send('INVITE', isOfferless ? [] : this.#sdp(step.renegotiate));
        send('ACK', isOfferless ? this.#sdp() : []);
      } else {
        for (const key of step.infoKeys) {
          send('INFO', infoBody(key, step.format ?? 'dtmf-relay'));
          this.#pause(step.gapMs ?? DTMF_MS);
        }
      }
    }
    if (end === 'bye') send('BYE', []);
    if (end === 'wait-for-bye') this.#waitForBye();
  }

  #waitForBye(): void {
    const contact = 'Contact: <sip:sipp@[local_ip]:[local_port]>';
    const answer = (extra: string[], body: Body): void =>
      this.#respond('200 OK', ['[last_Via:]', '[last_From:]', '[last_To:]', '[last_CSeq:]', ...extra], body);
    this.#steps.push('<label id="1"/>');
    this.#receive('request="INVITE" optional="true" next="2"');
    this.#receive('request="BYE" next="3"');
    this.#steps.push('<label id="2"/>');
    answer([contact, '[last_Record-Route:]'], this.#sdp());
    this.#receive('request="ACK" next="1"');
    this.#steps.push('<label id="3"/>');
    answer([], []);
  }

  #play(parts: readonly SoundPart[], rtp: RtpOptions, wait: boolean): void {
    const { codecs = ['PCMU'], ptimeMs = DEFAULT_PTIME_MS, eventType } = this.#scenario;
    const { packets, durationMs } = renderRtp(parts, {
      ...rtp,
      codec: codecs[0] === 'PCMA' ? 'PCMA' : 'PCMU',
      ptimeMs,
      eventType: typeof eventType === 'number' ? eventType : DEFAULT_EVENT_TYPE,
    });
    const name = `sound-${this.#captures.size + 1}.pcap`;
    this.#captures.set(name, packets);
    this.#steps.push(`<nop><action><exec play_pcap_audio="${name}"/></action></nop>`);
    if (wait) this.#pause(durationMs);
  }

  #sdp(direction?: string): Body {
    const {
      codecs = ['PCMU'],
      ptimeMs = DEFAULT_PTIME_MS,
      eventType = DEFAULT_EVENT_TYPE,
      sdpLines = [],
      omitStaticRtpmap,
    } = this.#scenario;
    const types = [...codecs.map((codec) => OFFERED_TYPES[codec]), ...(eventType === 'none' ? [] : [eventType])];
    return [
      'Content-Type: application/sdp',
      [
        'v=0',
        'o=sipp 1 1 IN IP[local_ip_type] [local_ip]',
        's=-',
        'c=IN IP[media_ip_type] [media_ip]',
        't=0 0',
        `m=audio [MEDIA_PORT] RTP/AVP ${types.join(' ')}`,
        ...(omitStaticRtpmap ? [] : codecs.map((codec) => `a=rtpmap:${OFFERED_TYPES[codec]} ${codec}/8000`)),
        ...(eventType === 'none' ? [] : [`a=rtpmap:${eventType} telephone-event/8000`, `a=fmtp:${eventType} 0-15`]),
        `a=ptime:${ptimeMs}`,
        ...(direction === undefined ? [] : [`a=${direction}`]),
        ...sdpLines,
      ],
    ];
  }

  #request(uri: string, method: string, via: string, head: string[], body: Body, attributes = ''): void {
    this.#send([`${method} ${uri} SIP/2.0`, via, 'Max-Forwards: 70', ...head], body, attributes);
  }

  #respond(status: string, head: string[], body: Body): void {
    this.#send([`SIP/2.0 ${status}`, ...head, '[last_Call-ID:]'], body, '');
  }

  #send(head: string[], [type, lines]: Body, attributes: string): void {
    const message = [...head, ...(type === undefined ? [] : [type]), 'Content-Length: [len]', '', ...(lines ?? []), ''];
    this.#steps.push(`<send${attributes && ` ${attributes}`}><![CDATA[`, '', ...message, ']]></send>');
  }

  #receive(attributes: string, actions: readonly string[] = []): void {
    const action = actions.length > 0 ? `<action>${actions.join('')}</action>` : '';
    this.#steps.push(action ? `<recv ${attributes}>${action}</recv>` : `<recv ${attributes}/>`);
  }

  #receiveSuccess(method: string): void {
    if (method === 'INVITE') this.#receive('response="100" optional="true"');
    this.#receive('response="200"');
  }

  #pause(ms: number): void {
    this.#steps.push(`<pause milliseconds="${Math.round(ms)}"/>`);
  }

  /** SIPp refuses a scenario with a variable that it does not use. */
  #reference(variable: string): void {
    this.#steps.push(`<Reference variables="${variable}"/>`);
  }
}

/** The content type and the lines of a body; both are missing for an empty one. */
type Body = readonly [type?: string, lines?: readonly string[]];

function infoBody(key: string, format: 'dtmf-relay' | 'dtmf-relay-spaced' | 'dtmf'): Body {
  if (format === 'dtmf') return ['Content-Type: application/dtmf', [key]];
  const space = format === 'dtmf-relay-spaced' ? ' ' : '';
  return ['Content-Type: application/dtmf-relay', [`Signal=${space}${key}`, `Duration=${space}${DTMF_MS}`]];
}

function headerLines({ headers = [] }: CallFlow): string[] {
  return headers.map(([name, value]) => `${name}: ${value}`);
}
