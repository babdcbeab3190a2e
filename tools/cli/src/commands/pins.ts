import { omitUndefined, type CommandSpec } from '../command.ts';

export const pins: readonly CommandSpec[] = [
  {
    usage: 'list <room>',
    description: 'List the personal PINs of a room, without their digits.',
    examples: ['pins list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.table(
        (await client().pins.list(roomId)).pins,
        ['id', 'name', 'role', 'participantId', 'createdAt'],
        'No personal PINs.',
      );
    },
  },
  {
    usage: 'add <room> <name>',
    description: 'Create a personal PIN and print it. The PIN cannot be read again.',
    options: { '--role <role>': 'participant or host (default participant)' },
    examples: ['pins add room_3q2-7wAAQkV1bWJlclBhcn Grace --role host'],
    async run({ out, client }, [roomId = '', name = ''], { role }: { role?: 'participant' | 'host' }) {
      out.object(await client().pins.create(roomId, { name, ...omitUndefined({ role }) }), [
        'id',
        'name',
        'role',
        'number',
        'pinSpaced',
        'tapToCall',
      ]);
    },
  },
  {
    usage: 'rotate <room>',
    description: "Replace the room's two PINs. The old PINs are rejected at once.",
    examples: ['pins rotate room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.object(await client().pins.rotate(roomId), ['pinSpaced', 'hostPinSpaced', 'tapToCall']);
    },
  },
  {
    usage: 'remove <room> <pin>',
    description: 'Delete a personal PIN by its id. The PIN is rejected at once.',
    examples: ['pins remove room_3q2-7wAAQkV1bWJlclBhcn pin_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '', pinId = '']) {
      out.object(await client().pins.delete(roomId, pinId));
    },
  },
];
