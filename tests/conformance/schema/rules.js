// The rules of graphql-eslint that the schema and a client's documents keep. A rule is turned off or narrowed only where it is
// wrong for us, with the reason beside it.

import * as module from '@graphql-eslint/eslint-plugin';

const plugin = module.default ?? module;
const rules = (...names) => Object.assign({}, ...names.map((name) => plugin.configs[name].rules));

// A row that is computed has no identity that anything could be refetched by; it can come in pages all the same.
export const COMPUTED_EDGES = ['BreachForecastEdge'];

/** ESLint's configuration for the schema at `schema` and the documents at `documents`. */
export function configuration(schema, documents) {
  const shared = {
    languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema, documents } } },
    plugins: { '@graphql-eslint': plugin },
  };
  return [
    {
      ...shared,
      files: ['schema.graphql'],
      rules: {
        ...rules('flat/schema-recommended', 'flat/schema-relay'),
        '@graphql-eslint/require-description': [
          'error',
          { types: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, DirectiveDefinition: true },
        ],
        '@graphql-eslint/input-name': ['error', { checkInputType: true, caseSensitiveInputType: false }],
        '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
        '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
        // Short closed lists (user errors, the stages of the process) are lists by design; what grows is a connection.
        '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
        // Values (an SLA, a page's info, a payload) have no identity. `identity` in main.js checks what Relay needs: that
        // whatever has an id is a Node.
        '@graphql-eslint/strict-id-in-types': 'off',
      },
    },
    { ...shared, files: ['client/*.graphql'], rules: rules('flat/operations-recommended') },
  ];
}
