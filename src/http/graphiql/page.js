// Starts GraphiQL against the server that served this page. Paths are relative, so that a proxy may add a prefix.
"use strict";

(async () => {
  const HEADERS = JSON.stringify({ Authorization: "Bearer " }, null, 2);

  const endpoint = new URL("graphql", document.baseURI);
  const socket = new URL("graphql/ws", document.baseURI);
  socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";

  // A bearer without a token is the untouched prefill: send no such header, so that the server sees an anonymous caller
  // and not a malformed one.
  const withoutEmptyBearer = (headers = {}) =>
    Object.fromEntries(
      Object.entries(headers).filter(
        ([name, value]) => name.toLowerCase() !== "authorization" || !/^\s*(bearer)?\s*$/i.test(String(value)),
      ),
    );

  // Tokens stay in the page: the history of queries keeps their headers too, so these are taken out of what is stored.
  const HISTORY_KEYS = ["graphiql:queries", "graphiql:favorites"];
  const withoutTokens = (history) =>
    JSON.stringify(JSON.parse(history, (name, value) => (name === "headers" ? HEADERS : value)));
  const storage = {
    getItem: (key) => localStorage.getItem(key),
    setItem: (key, value) => localStorage.setItem(key, HISTORY_KEYS.includes(key) ? withoutTokens(value) : value),
    removeItem: (key) => localStorage.removeItem(key),
    clear: () => {
      for (const key of Object.keys(localStorage).filter((key) => key.startsWith("graphiql:"))) {
        localStorage.removeItem(key);
      }
    },
    get length() {
      return localStorage.length;
    },
  };

  // For a subscription the bundled graphql-ws client sends the headers editor's content as connection_init payload.
  const send = GraphiQL.createFetcher({
    url: endpoint.href,
    subscriptionUrl: socket.href,
    enableIncrementalDelivery: false,
    headers: { Accept: "application/graphql-response+json, application/json;q=0.9" },
  });
  const fetcher = (request, options = {}) =>
    send(request, { ...options, headers: withoutEmptyBearer(options.headers) });

  const starter = await fetch(new URL("graphiql/starter.graphql", document.baseURI));

  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(
      GraphiQL,
      {
        fetcher,
        defaultQuery: starter.ok ? await starter.text() : "",
        defaultHeaders: HEADERS,
        defaultEditorToolsVisibility: "headers",
        inputValueDeprecation: true,
        storage,
        shouldPersistHeaders: false,
        showPersistHeadersSettings: false,
      },
      React.createElement(GraphiQL.Logo, null, "Secondline"),
    ),
  );
})();
