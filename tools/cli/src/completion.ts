import type { Command } from 'commander';

/** One place in the tree of commands: what may follow it. */
interface Place {
  /** The words that lead here: `rooms create`; empty at the top. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly says: string }[];
}

/** Every command, with its subcommands and options, as commander knows them. */
function placesOf(command: Command, path = ''): Place[] {
  const commands = command.commands.filter((each) => each.name() !== 'help');
  const words = [
    ...commands.map((each) => ({ word: each.name(), says: each.description() })),
    ...command.options.flatMap(({ long, description }) =>
      typeof long === 'string' ? [{ word: long, says: description }] : [],
    ),
    { word: '--help', says: 'how it is used' },
  ];
  return [{ path, words }, ...commands.flatMap((each) => placesOf(each, `${path} ${each.name()}`.trim()))];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that completes commands and options in a shell. Nothing is asked of the network. */
export function completionFor(shell: Shell, program: Command): string {
  const places = placesOf(program);
  return { bash: forBash, zsh: forZsh, fish: forFish }[shell](program.name(), places);
}

/** In the words of bash and zsh: follows the words as long as they name commands. */
const walk = (places: readonly Place[]): string => `case "$path $word" in
      ${places
        .filter(({ path }) => path !== '')
        .map(({ path }) => `"${path.includes(' ') ? path : ` ${path}`}"`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac`;

const forBash = (
  name: string,
  places: readonly Place[],
): string => `# ${name} completion bash: put this in ~/.bashrc: source <(${name} completion bash)
_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${walk(places)}
  done
  case "$path" in
${places.map(({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(' ')}" ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _${name} ${name}`;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const forZsh = (name: string, places: readonly Place[]): string => `#compdef ${name}
# ${name} completion zsh: put this in ~/.zshrc after compinit: source <(${name} completion zsh)
_${name}() {
  local path="" word
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    ${walk(places)}
  done
  case "$path" in
${places.map(({ path, words }) => `    "${path}") found=(${words.map(({ word, says }) => quoted(`${word.replaceAll(':', '\\:')}:${says}`)).join(' ')}) ;;`).join('\n')}
  esac
  _describe '${name}' found
}
compdef _${name} ${name}`;

const forFish = (
  name: string,
  places: readonly Place[],
): string => `# ${name} completion fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish
function __${name}_path
  set -l path
  for word in (commandline -opc)[2..]
    contains -- (string join ' ' $path $word) ${places
      .filter(({ path }) => path !== '')
      .map(({ path }) => quoted(path))
      .join(' ')}; and set -a path $word
  end
  string join ' ' $path
end
complete -c ${name} -f
${places.flatMap(({ path, words }) => words.map(({ word, says }) => `complete -c ${name} -n ${quoted(`test "$(__${name}_path)" = ${quoted(path)}`)} ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`} -d ${quoted(says)}`)).join('\n')}`;
