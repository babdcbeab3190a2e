import type { Leaf } from '../command.ts';
import { defined } from './rooms.ts';

export const pins: readonly Leaf[] = [
  {
    usage: 'list <room>',
    says: 'See who has a PIN of their own. The PINs themselves were shown once.',
    examples: ['pins list room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.table(
        (await client().pins.list(roomId)).pins,
        ['id', 'name', 'role', 'participantId', 'createdAt'],
        'Nobody: they have the room’s PINs.',
      );
    },
  },
  {
    usage: 'add <room> <name>',
    says: 'Give somebody a PIN of their own, and show it this once.',
    options: { '--role <role>': 'participant or host (default participant)' },
    examples: ['pins add room_3q2-7wAAQkV1bWJlclBhcn Grace --role host'],
    async run({ out, client }, [roomId = '', name = ''], { role }: { role?: 'participant' | 'host' }) {
      out.thing(await client().pins.create(roomId, { name, ...defined({ role }) }), [
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
    says: 'Draw the room’s two PINs anew; the old ones let nobody in any more.',
    examples: ['pins rotate room_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '']) {
      out.thing(await client().pins.rotate(roomId), ['pinSpaced', 'hostPinSpaced', 'tapToCall']);
    },
  },
  {
    usage: 'remove <room> <pin>',
    says: 'Take somebody’s PIN back, by its id: it lets nobody in from now on.',
    examples: ['pins remove room_3q2-7wAAQkV1bWJlclBhcn pin_3q2-7wAAQkV1bWJlclBhcn'],
    async run({ out, client }, [roomId = '', pinId = '']) {
      out.thing(await client().pins.delete(roomId, pinId));
    },
  },
];
