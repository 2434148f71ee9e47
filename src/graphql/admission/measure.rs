//! Measures a parsed document, each fragment once, however often and however deep it is spread.
//!
//! Everything that walks documents later, the library's validation first, expands fragments and would need exponential time
//! for a few hundred bytes.

use std::collections::HashMap;

use async_graphql::{
    Name,
    parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};

use super::limits::{self, Excess, within};

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Oversize {
    /// It is over a limit.
    Excess(Excess),
    /// A fragment contains itself.
    Cycle(Name),
}

impl From<Excess> for Oversize {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

/// What a selection set comes to, with every fragment at each of its places. Numbers too large to count stay at the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    /// Selection sets within each other.
    height: usize,
    /// Fields within each other.
    depth: usize,
    fields: usize,
    root_fields: usize,
    aliases: usize,
    directives: usize,
    /// Lists of the schema's parts within each other.
    schema_lists: usize,
}

/// The lists of the schema's parts that lead from one part to many others, as graphql-js counts them too.
const SCHEMA_LISTS: [&str; 4] = ["fields", "interfaces", "possibleTypes", "inputFields"];

impl Size {
    fn add(&mut self, other: Self) {
        self.height = self.height.max(other.height);
        self.depth = self.depth.max(other.depth);
        self.fields = self.fields.saturating_add(other.fields);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.schema_lists = self.schema_lists.max(other.schema_lists);
    }

    /// The size of a field with this below it.
    const fn under_a_field(self) -> Self {
        Self { depth: self.depth.saturating_add(1), fields: self.fields.saturating_add(1), root_fields: 1, ..self }
    }
}

/// Refuses a document that is over a limit.
pub(super) fn measure(document: &ExecutableDocument) -> Result<(), Oversize> {
    within(
        document.operations.iter().len() + document.fragments.len(),
        limits::DEFINITIONS,
        "operations and fragments",
    )?;
    let mut measuring = Measuring { document, known: HashMap::new() };
    let mut total = Size::default();
    for (_, operation) in document.operations.iter() {
        let size = measuring.operation(&operation.node)?;
        within(size.root_fields, limits::ROOT_FIELDS, "fields at the root")?;
        total.add(size);
    }
    // A fragment that no operation spreads is walked by the validation all the same.
    for (name, fragment) in &document.fragments {
        if !measuring.known.contains_key(name) {
            total.add(measuring.fragment(name, &fragment.node.selection_set.node, 0)?);
        }
        total.directives = total.directives.saturating_add(fragment.node.directives.len());
    }
    within(total.depth, limits::DEPTH, "fields within each other")?;
    within(total.fields, limits::FIELDS, "fields, counting those of a fragment wherever it is spread")?;
    within(total.aliases, limits::ALIASES, "aliases")?;
    within(total.directives, limits::DIRECTIVES, "directives")?;
    Ok(())
}

struct Measuring<'a> {
    document: &'a ExecutableDocument,
    /// The size of each fragment; none for one that is being measured.
    known: HashMap<&'a Name, Option<Size>>,
}

impl<'a> Measuring<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Size, Oversize> {
        let variables = &operation.variable_definitions;
        within(variables.len(), limits::VARIABLES, "variables")?;
        let mut size = self.selection_set(&operation.selection_set.node, 0)?;
        let on_variables = variables.iter().map(|variable| variable.node.directives.len()).sum::<usize>();
        size.directives = size.directives.saturating_add(operation.directives.len()).saturating_add(on_variables);
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name, body: &'a SelectionSet, nesting: usize) -> Result<Size, Oversize> {
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(Oversize::Cycle(name.clone())),
            None => {}
        }
        self.known.insert(name, None);
        let size = self.selection_set(body, nesting)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }

    fn selection_set(&mut self, selection_set: &'a SelectionSet, nesting: usize) -> Result<Size, Oversize> {
        within(nesting, limits::SELECTION_NESTING, "selections within each other")?;
        let mut size = Size::default();
        for selection in &selection_set.items {
            let mut found = match &selection.node {
                Selection::Field(field) => {
                    let mut found = self.selection_set(&field.node.selection_set.node, nesting + 1)?.under_a_field();
                    found.aliases = found.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                    let name = field.node.name.node.as_str();
                    found.schema_lists = found.schema_lists.saturating_add(usize::from(SCHEMA_LISTS.contains(&name)));
                    if matches!(name, "__schema" | "__type") {
                        within(found.schema_lists, limits::SCHEMA_LISTS, "lists of the schema within each other")?;
                    }
                    found
                }
                Selection::InlineFragment(fragment) => {
                    self.selection_set(&fragment.node.selection_set.node, nesting + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    match self.document.fragments.get_key_value(&spread.node.fragment_name.node) {
                        Some((name, fragment)) => {
                            self.fragment(name, &fragment.node.selection_set.node, nesting + 1)?
                        }
                        // An unknown fragment is for the validation to refuse.
                        None => Size::default(),
                    }
                }
            };
            found.directives = found.directives.saturating_add(selection.node.directives().len());
            size.add(found);
        }
        // Where the size of a fragment was known already, nothing was followed into it.
        size.height = size.height.saturating_add(1);
        within(size.height, limits::SELECTION_NESTING, "selections within each other")?;
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn refused(query: &str) -> Option<Oversize> {
        measure(&parse_query(query).unwrap()).err()
    }

    fn excess(query: &str) -> &'static str {
        match refused(query) {
            Some(Oversize::Excess(excess)) => excess.of_what(),
            other => panic!("{other:?}"),
        }
    }

    /// Fragments that each spread the one before twice: 2ⁿ fields in 30 n bytes.
    fn bomb(levels: usize) -> String {
        let fragments = (1..levels).map(|n| format!("fragment f{n} on T {{ ...f{} ...f{} }} ", n - 1, n - 1));
        let fragments: String = fragments.collect();
        format!("{{ o {{ ...f{} }} }} fragment f0 on T {{ a }} {fragments}", levels - 1)
    }

    #[test]
    fn a_fragment_bomb_is_measured_in_no_time() {
        assert_eq!(refused(&bomb(8)), None);
        for levels in [16, 32, 64, 90] {
            assert!(excess(&bomb(levels)).starts_with("fields"), "{levels}");
        }
    }

    #[test]
    fn a_fragment_that_contains_itself_is_refused() {
        let query = "{ ...a } fragment a on T { ...b } fragment b on T { ...a }";
        assert!(matches!(refused(query), Some(Oversize::Cycle(_))));
        // Even where no operation spreads it.
        assert!(matches!(refused("{ x } fragment a on T { ...a }"), Some(Oversize::Cycle(_))));
    }

    #[test]
    fn every_limit_holds() {
        let aliases = |n: usize| (0..n).map(|n| format!("a{n}: x ")).collect::<String>();
        assert_eq!(excess(&format!("{{ {} }}", aliases(limits::ROOT_FIELDS + 1))), "fields at the root");
        assert_eq!(excess(&format!("{{ o {{ {} }} }}", aliases(limits::ALIASES + 1))), "aliases");
        let deep = format!("{}x{}", "{ a ".repeat(limits::DEPTH).replacen(" a", "a", 1), "}".repeat(limits::DEPTH));
        assert_eq!(excess(&deep.replace("a x", "a { x }")), "fields within each other");
        assert_eq!(excess(&format!("{{ x {} }}", "@d ".repeat(limits::DIRECTIVES + 1))), "directives");
        let many = (0..=limits::DEFINITIONS).map(|n| format!("query q{n} {{ x }} ")).collect::<String>();
        assert_eq!(excess(&many), "operations and fragments");
    }

    #[test]
    fn the_schema_is_not_told_over_and_over() {
        assert_eq!(refused("{ __schema { types { fields { args { type { ofType { name } } } } } } }"), None);
        let nested = "fields { type { fields { type { fields { name } } } } }";
        assert!(excess(&format!("{{ __schema {{ types {{ {nested} }} }} }}")).starts_with("lists of the schema"));
        let spread = format!("{{ __type(name: \"A\") {{ ...f }} }} fragment f on __Type {{ {nested} }}");
        assert!(excess(&spread).starts_with("lists of the schema"));
        assert_eq!(refused(&format!("{{ o {{ {nested} }} }}")), None);
    }

    #[test]
    fn a_chain_of_fragments_is_not_followed_without_end() {
        let fragments = (1..150).map(|n| format!("fragment f{n} on T {{ ...f{} }} ", n - 1)).collect::<String>();
        for spread in ["...f149", "...f70 ...f140"] {
            let query = format!("{{ {spread} }} fragment f0 on T {{ a }} {fragments}");
            assert_eq!(excess(&query), "selections within each other");
        }
    }
}
