/** What differs between two Janus servers of Partyline. */
export interface JanusSettings {
  /** The folder of the configuration files. */
  readonly configFolder: string;
  /** The folder with `plugins`, `transports`, …; without it, Janus uses the one of its build. */
  readonly modules: string | undefined;
  /** Appears in the answer to `info`. */
  readonly serverName: string;
  /** The address of the WebSockets and of SIP and RTP to the other servers. */
  readonly ip: string;
  readonly port: number;
  readonly adminPort: number;
  readonly apiSecret: string;
  readonly adminSecret: string;
  /** Allows the creation of rooms in the AudioBridge and the VideoRoom. */
  readonly adminKey: string;
  /** Interfaces or addresses that ICE offers to browsers and to the gateway. */
  readonly iceInterfaces: readonly string[];
  readonly rtpPorts: {
    readonly ice: PortRange;
    readonly audiobridge: PortRange;
    readonly sip: PortRange;
  };
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

type Value = string | number | boolean | undefined;
type Section = Record<string, Value>;

/** Everything else that Janus 1.x brings. Janus loads what it is not told to leave out. */
const UNUSED = {
  plugins: 'duktape echotest lua nosip recordplay streaming textroom videocall voicemail',
  transports: 'http mqtt nanomsg pfunix rabbitmq',
  loggers: 'jsonlog',
};

/** Returns the text of each configuration file by its name. */
export function renderJanusConfiguration(settings: JanusSettings): Record<string, string> {
  const { configFolder, modules, ip, adminKey, rtpPorts } = settings;
  const inModules = (folder: string): Value => modules && `${modules}/${folder}`;
  return {
    'janus.jcfg': renderSections({
      general: {
        configs_folder: configFolder,
        plugins_folder: inModules('plugins'),
        transports_folder: inModules('transports'),
        events_folder: inModules('events'),
        loggers_folder: inModules('loggers'),
        debug_level: 4,
        debug_timestamps: true,
        debug_colors: false,
        interface: ip,
        server_name: settings.serverName,
        api_secret: settings.apiSecret,
        admin_secret: settings.adminSecret,
        // A gateway that hangs loses its calls after 20 s, one that is gone at once. A session that stayed would
        // also renew its registration at kamailio, and get calls that nothing answers.
        session_timeout: 20,
        reclaim_session_timeout: 0,
        candidates_timeout: 10,
      },
      nat: {
        ignore_mdns: true,
        ice_nomination: 'aggressive',
        ice_enforce_list: settings.iceInterfaces.join(','),
      },
      media: { rtp_port_range: renderRange(rtpPorts.ice) },
      plugins: { disable: listModules(UNUSED.plugins) },
      transports: { disable: listModules(UNUSED.transports) },
      loggers: { disable: listModules(UNUSED.loggers) },
      events: { broadcast: false },
    }),
    'janus.transport.websockets.jcfg': renderSections({
      general: { json: 'compact', ws: true, ws_port: settings.port, ws_ip: ip, wss: false },
      admin: { admin_ws: true, admin_ws_port: settings.adminPort, admin_ws_ip: ip, admin_wss: false },
    }),
    'janus.plugin.audiobridge.jcfg': renderSections({
      general: {
        admin_key: adminKey,
        lock_rtp_forward: true,
        lock_play_file: true,
        record_tmp_ext: 'tmp',
        string_ids: true,
        local_ip: ip,
        rtp_port_range: renderRange(rtpPorts.audiobridge),
      },
    }),
    'janus.plugin.sip.jcfg': renderSections({
      general: {
        local_ip: ip,
        sdp_ip: ip,
        behind_nat: false,
        keepalive_interval: 30,
        register_ttl: 3600,
        rtp_port_range: renderRange(rtpPorts.sip),
        // A registrar that is gone is reported after 8 s instead of 32 s.
        sip_timer_t1x64: 8000,
      },
    }),
    'janus.plugin.videoroom.jcfg': renderSections({
      general: { admin_key: adminKey, lock_rtp_forward: true, string_ids: true },
    }),
  };
}

function listModules(names: string): string {
  return names
    .split(' ')
    .map((name) => `libjanus_${name}.so`)
    .join(',');
}

function renderRange({ first, last }: PortRange): string {
  return `${first}-${last}`;
}

/** libconfig has the string escapes of JSON that a path or a secret can need. */
function renderSections(sections: Record<string, Section>): string {
  return Object.entries(sections)
    .map(([name, section]) => {
      const lines = Object.entries(section)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `  ${key} = ${JSON.stringify(value)}\n`);
      return `${name}: {\n${lines.join('')}}\n`;
    })
    .join('');
}
