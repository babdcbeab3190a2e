import { once } from 'node:events';
import type { CommandSpec } from '../command.ts';
import { parseInteger } from '../fields.ts';

export const emulator: CommandSpec = {
  usage: 'emulator',
  description: 'Run the Vonage emulator (Voice, OpenTok, unified Video) on this machine until Ctrl-C.',
  options: { '--port <n>': ['port to listen on (default: a free port)', parseInteger] },
  examples: ['emulator', 'emulator --port 9100 --json'],
  async run({ io, out }, _args, { port }: { port?: number }) {
    // Imported here because loading the emulator would slow down every other command.
    const { startEmulator } = await import('@partyline/vonage-emulator/launch');
    const running = await startEmulator(port === undefined ? {} : { port });
    try {
      out.line(
        { url: running.url },
        `The emulator listens at ${running.url}; its ledger is at ${running.url}/emulator/ledger. Ctrl-C ends it.`,
      );
      if (!io.interrupted.aborted) await once(io.interrupted, 'abort');
    } finally {
      await running.stop();
    }
  },
};
