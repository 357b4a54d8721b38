/** `ipckit codegen`: the same struct for C and Python. */
import type { Command } from 'commander'
import { cHeader, parseStruct, pythonClass } from '../index.js'
import { withExamples } from './arguments.js'
import { CommandError, exitCodes } from './failure.js'
import { print } from './output.js'

/** Defines the command. */
export function define(command: Command): void {
  command
    .argument('<struct>', "the fields, such as 'id:i32,px:f64,sym:char[8]'")
    .option('--c <name>', 'print a C header with a typedef of this name')
    .option('--python <name>', 'print a Python module with a ctypes class of this name')
    .action(run)
    .addHelpText(
      'after',
      `
Types are i8 to u64, f32, f64, bool, char[n] for text and u8[n] for bytes, or those of C such as int and unsigned
long; {...} is a struct inside, [n] an array. 'packed {id:i32}' has no padding, 'big {id:i32}' the other byte order.`,
    )
  withExamples(
    command,
    ['The header of a C program', "ipckit codegen 'id:i32,px:f64,sym:char[8]' --c tick > tick.h"],
    ['The class of a Python program', "ipckit codegen 'id:i32,px:f64,sym:char[8]' --python Tick > tick.py"],
  )
}

async function run(description: string, { c, python }: { c?: string; python?: string }): Promise<void> {
  if ((c === undefined) === (python === undefined)) {
    throw new CommandError('Expected --c NAME or --python NAME', exitCodes.usage)
  }
  const struct = parseStruct(description)
  await print(c === undefined ? pythonClass(struct, python as string) : cHeader(struct, c))
}
