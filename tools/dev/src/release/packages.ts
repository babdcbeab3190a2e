import { readFileSync } from 'node:fs';
import { inWorkspace } from '../workspace.ts';

/** A package that people install. Its dependencies, ours and others, are inside its tarball. */
export interface Released {
  readonly name: string;
  /** From the root of the checkout. */
  readonly folder: string;
  readonly description: string;
  readonly engines: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** In the order in which they are packed: a package contains those before it. */
export const RELEASED: readonly Released[] = [
  {
    name: '@partyline/sdk',
    folder: 'libs/sdk',
    description: 'The TypeScript SDK of Partyline, a conference bridge between browsers and telephones.',
    engines: '>=20.12',
    exports: { '.': 'client', './types': 'generated/types.gen', './*': '*' },
  },
  {
    name: '@partyline/vonage-emulator',
    folder: 'tools/vonage-emulator',
    description: 'Emulates Vonage Voice, OpenTok and Vonage Video on one port, for the unmodified SDKs.',
    engines: '>=22.12',
    exports: { './*': '*' },
    bin: { 'vonage-emulator': 'main' },
  },
  {
    name: '@partyline/cli',
    folder: 'tools/cli',
    description: 'The command line of Partyline: rooms, calls, live events, the hang-up ledger.',
    engines: '>=22.12',
    bin: { partyline: 'main' },
  },
];

const SERVICES = ['room-api', 'voice-webhooks', 'dial-orchestrator', 'cleanup-worker', 'media-gateway'] as const;

/** The commands that build the images of the services, with the version as their tag and label. */
export const imageCommands = (version: string): string[] =>
  SERVICES.map(
    (app) =>
      `docker build -f deploy/Dockerfile --build-arg APP=${app} --build-arg VERSION=${version} ` +
      `-t partyline/${app}:${version} .`,
  );

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export const readManifest = (...path: string[]): Manifest =>
  JSON.parse(readFileSync(inWorkspace(...path, 'package.json'), 'utf8')) as Manifest;
