import { once } from 'node:events';
import { wholeNumber, type Leaf } from '../command.ts';

export const emulator: Leaf = {
  usage: 'emulator',
  says: 'Run an emulated vendor (Vonage Voice, OpenTok, unified Video) on this machine, until Ctrl-C.',
  options: { '--port <n>': ['listen here; left out: a free port', wholeNumber] },
  examples: ['emulator', 'emulator --port 9100 --json'],
  async run({ io, out }, _args, { port }: { port?: number }) {
    // Loaded here, so that no other command waits for it.
    const { startEmulator } = await import('@partyline/vonage-emulator/launch');
    const running = await startEmulator(port === undefined ? {} : { port });
    try {
      out.line(
        { url: running.url },
        `The emulated vendor listens at ${running.url}; its ledger is at ${running.url}/emulator/ledger. Ctrl-C ends it.`,
      );
      if (!io.interrupted.aborted) await once(io.interrupted, 'abort');
    } finally {
      await running.stop();
    }
  },
};
