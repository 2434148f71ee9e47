use super::*;
use crate::graphql::shape::Shape;

const SCHEMA: &str = "type Query { me: Person } type Person { name: String! friends: [Person!]! }";
const ANN: Principal = Principal::Unknown(None);

fn gate(policy: Policy) -> Gate {
    Gate::new(policy, Clock::manual("2026-06-01T09:00:00Z".parse().unwrap()))
}

fn admit(gate: &Gate, query: &str, operation_name: Option<&str>) -> Result<Admitted, String> {
    let params = Params {
        source: Source::Text(query.to_owned()),
        operation_name: operation_name.map(str::to_owned),
        variables: Variables::default(),
    };
    gate.admit(&Shape::of(SCHEMA), params, ANN).map_err(|refused| code(&refused))
}

fn code(refused: &Refused) -> String {
    let code = refused.error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    code.map(|code| code.to_string().trim_matches('"').to_owned()).unwrap_or_default()
}

#[test]
fn the_operation_that_is_asked_for_is_chosen() {
    let gate = gate(Policy::default());
    let both = "query a { me { name } } subscription b { me { name } }";
    for (query, name, expected) in [
        ("{ me { name } }", None, Ok(OperationType::Query)),
        ("{ me { name } }", Some(""), Ok(OperationType::Query)),
        ("mutation { me { name } }", None, Ok(OperationType::Mutation)),
        (both, Some("a"), Ok(OperationType::Query)),
        (both, Some("b"), Ok(OperationType::Subscription)),
        (
            "subscription { ...f } fragment f on Query { a: me { name } b: me { name } }",
            None,
            Err("GRAPHQL_VALIDATION_FAILED"),
        ),
        ("query($n: Int!) { me { name } }", None, Err("GRAPHQL_VALIDATION_FAILED")),
        (both, None, Err("OPERATION_RESOLUTION_FAILURE")),
        (both, Some("c"), Err("OPERATION_RESOLUTION_FAILURE")),
        ("fragment f on Person { name }", None, Err("GRAPHQL_PARSE_FAILED")),
        ("{", None, Err("GRAPHQL_PARSE_FAILED")),
        ("", None, Err("GRAPHQL_PARSE_FAILED")),
    ] {
        let found = admit(&gate, query, name).map(|admitted| admitted.kind());
        assert_eq!(found, expected.map_err(str::to_owned), "{query}");
    }
}

#[test]
fn what_costs_too_much_is_refused_and_pays_for_being_read() {
    let gate = gate(Policy { cost_limit: 20, cost_per_minute: NonZeroU32::new(30).unwrap(), ..Policy::default() });
    assert_eq!(admit(&gate, "{ me { friends { friends { name } } } }", None).unwrap_err(), "LIMIT_EXCEEDED");
    let charge = admit(&gate, "{ me { friends { name } } }", None).map(|admitted| admitted.charge());
    assert_eq!(charge.unwrap_err(), "LIMIT_EXCEEDED");
    // A point each for the two that were refused.
    for remaining in [26, 24] {
        assert_eq!(admit(&gate, "{ me { name } }", None).unwrap().charge().remaining, remaining);
    }
}

#[test]
fn the_schema_is_told_only_where_it_may_be() {
    let gate = gate(Policy { introspection: false, ..Policy::default() });
    for query in [
        "{ __schema { types { name } } }",
        "{ ... on Query { __type(name: \"Person\") { name } } }",
        "{ ...f } fragment f on Query { x: __schema { types { name } } }",
    ] {
        assert_eq!(admit(&gate, query, None).unwrap_err(), "INTROSPECTION_DISABLED", "{query}");
    }
    assert!(admit(&gate, "{ __typename me { __typename name } }", None).is_ok());
}

#[test]
fn a_hostile_document_is_refused_whatever_its_shape() {
    let gate = gate(Policy::default());
    let bomb = |levels: usize| {
        let fragments = (1..levels).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n - 1));
        format!("{{ ...f{} }} fragment f0 on Query {{ me {{ name }} }} {}", levels - 1, fragments.collect::<String>())
    };
    let aliases = (0..1000).map(|n| format!("a{n}: me {{ name }} ")).collect::<String>();
    let documents = [
        bomb(12),
        bomb(40),
        format!("{{ {aliases} }}"),
        "{ me ".repeat(60_000),
        format!("{{ me(a: {}", "[".repeat(200_000)),
        format!("{{ me {} {{ name }} }}", "@skip(if: false) ".repeat(10_000)),
        format!("{{ me {{ {} }} }}", "name ".repeat(50_000)),
        format!("{} {{ me {{ name }} }}", "query q { me { name } } ".repeat(5_000)),
        "fragment f on Query { ...f } { ...f }".to_owned(),
        "\"".repeat(100_000),
        "#".repeat(250_000),
    ];
    for document in documents {
        let code = admit(&gate, &document, None).unwrap_err();
        let start: String = document.chars().take(60).collect();
        assert!(
            ["LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()),
            "{code}: {start}"
        );
    }
}
