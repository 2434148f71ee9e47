// The schema gate: what tools that front-end teams use say of the schema that the binary prints.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { generate } from '@graphql-codegen/cli';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { ESLint } from 'eslint';
import {
  buildSchema, isInterfaceType, isObjectType, isScalarType, isSpecifiedScalarType, Kind, parse, specifiedDirectives,
} from 'graphql';

import { Checks, part } from '../support/report.js';
import { COMPUTED_EDGES, configuration } from './rules.js';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, '..', 'node_modules');
// Everything is carried out on copies, in a folder that git ignores.
const work = join(here, '..', '.cache', 'schema');
const run = promisify(execFile);

/** Runs a tool; a failure tells what it printed. */
async function tool(...words) {
  try {
    return (await run(process.execPath, words, { cwd: work, maxBuffer: 64 << 20 })).stdout;
  } catch (error) {
    throw new Error(`${error.stdout}\n${error.stderr}`.trim());
  }
}

/** Prints everything that is wrong, and fails when there is something. */
function none(problems) {
  problems.forEach((problem) => console.log(`  ${problem}`));
  if (problems.length > 0) throw new Error(`${problems.length} problems, listed above`);
}

await part(async (binary) => {
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  await cp(join(here, 'relay'), join(work, 'relay'), { recursive: true });
  await cp(join(here, 'client'), join(work, 'client'), { recursive: true });
  await symlink(modules, join(work, 'node_modules'));
  const { stdout: sdl } = await run(binary, ['schema'], { maxBuffer: 64 << 20 });
  await writeFile(join(work, 'schema.graphql'), withoutBuiltIns(sdl));
  const schema = buildSchema(sdl);

  const checks = new Checks();
  const seconds = 180;
  await checks.check('graphql-inspector: no breaking change but those that are meant', () => changes(schema), seconds);
  await checks.check('graphql-eslint: schema, Relay and naming rules', () => lint('schema.graphql'), seconds);
  await checks.check('graphql-eslint: operations', () => lint('client/*.graphql'), seconds);
  await checks.check('what has an id is a Node', () => none(identity(schema)));
  await checks.check('deprecations say until when', () => none(deprecations(schema)));
  await checks.check('relay-compiler', () => relay(schema), seconds);
  await checks.check('graphql-codegen', () => codegen(schema), seconds);
  await checks.check('tsc --strict on the generated client', () => tool(join(modules, 'typescript/bin/tsc'), '-p', 'client'), seconds);
  return checks.report();
});

/** The SDL with blanks where directives of the specification are defined: their words are not ours. Lines stay where they are. */
function withoutBuiltIns(sdl) {
  const builtIn = new Set(specifiedDirectives.map(({ name }) => name));
  const isBuiltIn = (node) => node.kind === Kind.DIRECTIVE_DEFINITION && builtIn.has(node.name.value);
  return parse(sdl).definitions.filter(isBuiltIn).reduce(
    (text, { loc: { start, end } }) => text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, ' ') + text.slice(end),
    sdl,
  );
}

async function changes(schema) {
  const previous = buildSchema(await readFile(join(here, 'previous.graphql'), 'utf8'));
  const all = await diff(previous, schema);
  const breaking = all.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
  const lines = (await readFile(join(here, 'accepted-breaking.txt'), 'utf8')).split('\n');
  const accepted = lines.map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
  const undated = accepted.filter((line) => !/^\d{4}-\d{2}-\d{2} \S+ \S+$/.test(line));
  const key = (change) => `${change.type} ${change.path}`;
  const known = new Set(accepted.map((line) => line.slice('2026-01-01 '.length)));
  const found = new Set(breaking.map(key));
  console.log(`  ${all.length} changes, ${breaking.length} of them breaking`);
  none([
    ...undated.map((line) => `not “date type path”: ${line}`),
    ...breaking.filter((change) => !known.has(key(change))).map((change) => `${key(change)}: ${change.message}`),
    ...[...known].filter((line) => !found.has(line)).map((line) => `accepted, but not there: ${line}`),
  ]);
}

async function lint(files) {
  const eslint = new ESLint({
    cwd: work,
    overrideConfigFile: true,
    overrideConfig: configuration(join(work, 'schema.graphql'), join(work, 'client/*.graphql')),
  });
  const results = await eslint.lintFiles(files);
  assert.ok(results.length > 0);
  const isMeant = (source, { line, ruleId, message }) => ruleId === '@graphql-eslint/relay-edge-types'
    && message.includes('must implement `Node`') && COMPUTED_EDGES.some((edge) => source.split('\n')[line - 1].startsWith(`type ${edge} `));
  none(results.flatMap(({ filePath, source, messages }) =>
    messages.filter((found) => !isMeant(source ?? '', found)).map(({ line, ruleId, message }) => `${filePath.slice(work.length + 1)}:${line} ${ruleId}: ${message}`)));
}

/** Types with an id that Relay cannot refetch. */
function identity(schema) {
  const types = Object.values(schema.getTypeMap()).filter(isObjectType);
  const isNode = (type) => type.getInterfaces().some(({ name }) => name === 'Node');
  return types.filter((type) => type.getFields().id && !isNode(type)).map(({ name }) => `${name} has an id and is no Node`);
}

/** Deprecated fields, arguments, input fields and enum values without a date. */
function deprecations(schema) {
  const found = [];
  const look = (path, { deprecationReason: reason }) => {
    if (reason && !/\d{4}-\d{2}-\d{2}/.test(reason)) found.push(`${path} is deprecated without a date: ${reason}`);
  };
  for (const type of Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'))) {
    type.getValues?.().forEach((value) => look(`${type.name}.${value.name}`, value));
    for (const field of Object.values(type.getFields?.() ?? {})) {
      look(`${type.name}.${field.name}`, field);
      if (isObjectType(type) || isInterfaceType(type)) {
        field.args.forEach((argument) => look(`${type.name}.${field.name}.${argument.name}`, argument));
      }
    }
  }
  return found;
}

/** Our scalars, which all travel as strings. */
function scalars(schema) {
  const own = Object.values(schema.getTypeMap()).filter((type) => isScalarType(type) && !isSpecifiedScalarType(type));
  return Object.fromEntries(own.map(({ name }) => [name, 'string']));
}

async function relay(schema) {
  const config = {
    src: './relay',
    schema: './schema.graphql',
    language: 'typescript',
    artifactDirectory: './relay/__generated__',
    customScalarTypes: scalars(schema),
    eagerEsModules: true,
  };
  await mkdir(join(work, 'relay/__generated__'), { recursive: true });
  await writeFile(join(work, 'relay.config.json'), JSON.stringify(config));
  await tool(join(modules, 'relay-compiler/cli.js'), 'relay.config.json');
  const made = await readdir(join(work, 'relay/__generated__'));
  console.log(`  ${made.length} artifacts`);
  assert.ok(made.some((name) => name.startsWith('TicketsPageRowQuery')), 'no refetch query was made');
}

async function codegen(schema) {
  const config = { scalars: scalars(schema), strictScalars: true };
  const files = await generate(
    {
      cwd: work,
      silent: true,
      schema: join(work, 'schema.graphql'),
      generates: {
        [join(work, 'client/generated/')]: {
          preset: 'client',
          documents: join(work, 'client/program.ts'),
          presetConfig: { fragmentMasking: false },
          config: { ...config, enumType: 'native', useTypeImports: true },
        },
        [join(work, 'client/schema.ts')]: { plugins: ['typescript'], config },
        [join(work, 'client/operations.ts')]: {
          plugins: ['typescript-operations'],
          documents: join(work, 'client/operations.graphql'),
          config,
        },
      },
      emitLegacyCommonJSImports: false,
    },
    true,
  );
  console.log(`  ${files.length} files`);
  assert.ok(files.length >= 5);
}
