//! Lets everybody try every act, and sees what became of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    acts::{ACTS, Stage},
    callers::Caller,
    crawl::{Answer, Gate},
    footprint::footprint,
    judge::{Verdict, short_code},
    reads::unknown,
    schema::Schema,
    table::Table,
    world::BACKSTAGE,
};

/// What everybody may do, and what is wrong with it.
pub struct Trial<'a> {
    pub schema: &'a Schema,
    pub table: &'a Table,
    pub gate: &'a Gate,
    pub stage: &'a Stage<'a>,
    pub callers: &'a [Caller],
    /// Whether a caller sees what has an id.
    seen: BTreeMap<(String, String), bool>,
}

impl<'a> Trial<'a> {
    pub fn new(
        schema: &'a Schema,
        table: &'a Table,
        gate: &'a Gate,
        stage: &'a Stage<'a>,
        callers: &'a [Caller],
    ) -> Self {
        Self { schema, table, gate, stage, callers, seen: BTreeMap::new() }
    }

    /// Everybody tries everything. Those who are to be refused go first, and must leave no trace.
    pub async fn run(mut self) -> Verdict {
        let mut verdict = Verdict::default();
        for caller in self.callers {
            // Notes when a token was used, which from here on costs no statement.
            self.gate.ask(caller.token.as_deref(), "{ process { name } }", json!({})).await;
        }
        let mutations: BTreeSet<_> = self.schema.fields("Mutation").iter().map(|field| field.name.as_str()).collect();
        let tried: BTreeSet<_> = ACTS.iter().map(|act| mutation_of(act)).collect();
        verdict.problems.extend(mutations.symmetric_difference(&tried).map(|mutation| {
            format!("{mutation} is in the schema and not in tests/it/rights/acts.rs (ACTS), or the other way round")
        }));
        for act in ACTS.iter().filter(|act| mutations.contains(mutation_of(act))) {
            let mut cells = Vec::new();
            let is_done = |caller: &&Caller| self.table.cell("Mutation", act, &caller.column) == Some("done");
            let (allowed, refused): (Vec<_>, Vec<_>) = self.callers.iter().partition(is_done);
            self.try_refused(act, refused, &mut cells, &mut verdict.problems).await;
            for caller in allowed {
                let input = self.stage.input(act, caller).await;
                let answer = self.perform(act, caller, &input).await;
                self.look(act, caller, &answer, &mut verdict.problems);
                cells.push((caller, Ok(self.outcome(act, &answer))));
            }
            verdict.add("Mutation", act, cells);
        }
        verdict
    }

    /// Lets those try who are to be refused: nothing is changed, and who may not see a thing learns nothing of it.
    async fn try_refused(
        &mut self,
        act: &str,
        callers: Vec<&'a Caller>,
        cells: &mut Vec<(&'a Caller, Result<String, String>)>,
        problems: &mut Vec<String>,
    ) {
        let is_personal = act.ends_with("one's own");
        let mut inputs: Vec<(&Caller, Value)> = Vec::new();
        for caller in callers {
            let input = match inputs.last() {
                Some((_, input)) if !is_personal => input.clone(),
                _ => self.stage.input(act, caller).await,
            };
            inputs.push((caller, input));
        }
        let mut before = footprint(self.stage.app).await;
        // Where the table does not say yet that somebody may, or is wrong, the input is used up.
        let mut anew: Option<Value> = None;
        for (caller, input) in inputs {
            let input = anew.as_ref().filter(|_| !is_personal).cloned().unwrap_or(input);
            // The first use of a token in a minute is noted, at the price of a statement.
            self.gate.ask(caller.token.as_deref(), "{ __typename }", json!({})).await;
            let (answer, cost) = self.stage.app.statements(self.perform(act, caller, &input)).await;
            self.look(act, caller, &answer, problems);
            let outcome = self.outcome(act, &answer);
            if outcome == "done" {
                anew = Some(self.stage.input(act, caller).await);
                before = footprint(self.stage.app).await;
            } else if outcome != "401" {
                self.compare_with_unknown(act, caller, &input, (&answer, cost), problems).await;
            }
            cells.push((caller, Ok(outcome)));
        }
        let after = footprint(self.stage.app).await;
        let traces: Vec<_> = after.iter().filter(|(table, rows)| before.get(*table) != Some(rows)).collect();
        if !traces.is_empty() {
            let tables: Vec<_> = traces.iter().map(|(table, _)| table.as_str()).collect();
            problems.push(format!("{act}: somebody was refused and left a trace in {tables:?}"));
        }
    }

    /// For what a caller may not see, the answer is that for an unknown id, at the price of as many statements.
    async fn compare_with_unknown(
        &mut self,
        act: &str,
        caller: &Caller,
        input: &Value,
        (refusal, cost): (&Answer, usize),
        problems: &mut Vec<String>,
    ) {
        for field in self.schema.ids_in(&input_type(act)) {
            let Some(id) = input[field].as_str() else { continue };
            if self.sees(caller, id).await {
                continue;
            }
            let mut other = input.clone();
            other[field] = json!(unknown(id));
            let (none, cost_of_none) = self.stage.app.statements(self.perform(act, caller, &other)).await;
            if (&refusal.text, cost) != (&none.text, cost_of_none) {
                problems.push(format!(
                    "{act}: {} can tell a {field} that they may not see from an unknown one: {} in {cost} statements, \
                     {} in {cost_of_none}",
                    caller.label, refusal.text, none.text
                ));
            }
        }
    }

    /// Whether a caller sees what has the id: as the table says of its kind where that is the same for all of the kind.
    async fn sees(&mut self, caller: &Caller, id: &str) -> bool {
        match self.table.cell("node", &kind_of(id), &caller.column) {
            Some("all") => return true,
            Some("none") => return false,
            _ => {}
        }
        let known = (caller.label.clone(), id.to_owned());
        if let Some(sees) = self.seen.get(&known) {
            return *sees;
        }
        let query = "query($id: ID!) { node(id: $id) { id } }";
        let answer = self.gate.ask(caller.token.as_deref(), query, json!({ "id": id })).await;
        let sees = answer.json["data"]["node"].is_object();
        self.seen.insert(known, sees);
        sees
    }

    async fn perform(&self, act: &str, caller: &Caller, input: &Value) -> Answer {
        let mutation = mutation_of(act);
        let payload = self.schema.fields("Mutation").iter().find(|field| field.name == mutation).unwrap();
        let selection = self.schema.select(&payload.of, 1);
        let query =
            format!("mutation($input: {}!) {{ payload: {mutation}(input: $input) {selection} }}", input_type(act));
        self.gate.ask(caller.token.as_deref(), &query, json!({ "input": input })).await
    }

    /// The cell that an answer stands for.
    fn outcome(&self, act: &str, answer: &Answer) -> String {
        if let Some(error) = answer.json["errors"].get(0) {
            return short_code(error["extensions"]["code"].as_str().unwrap_or("no code"));
        }
        let payload = &answer.json["data"]["payload"];
        let problems = payload["userErrors"].as_array().unwrap();
        let codes: BTreeSet<_> = problems.iter().map(|problem| problem["code"].as_str().unwrap_or("no code")).collect();
        let is_made = payload.as_object().unwrap().iter().any(|(name, made)| name != "userErrors" && made.is_object());
        match (is_made, codes.is_empty()) {
            (true, true) => "done".to_owned(),
            (false, false) => codes.into_iter().map(short_code).collect::<Vec<_>>().join("+"),
            _ => panic!("{act} neither was done nor says why: {}", answer.text),
        }
    }

    /// What a contact is answered must not be of backstage, nor of the other company.
    fn look(&self, act: &str, caller: &Caller, answer: &Answer, problems: &mut Vec<String>) {
        let Some(side) = caller.side else { return };
        let text = answer.text.to_lowercase();
        for word in side.other().words().into_iter().chain([BACKSTAGE]) {
            if text.contains(word) {
                problems.push(format!("{act}: {} was told of {word}: {text}", caller.label));
            }
        }
    }
}

fn mutation_of(act: &str) -> &str {
    act.split_once(": ").map_or(act, |(mutation, _)| mutation)
}

/// `TicketSubtype` for `ticket_subtype_…`.
fn kind_of(id: &str) -> String {
    let (prefix, _) = id.rsplit_once('_').unwrap_or_default();
    prefix.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn input_type(act: &str) -> String {
    let mutation = mutation_of(act);
    format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..])
}
