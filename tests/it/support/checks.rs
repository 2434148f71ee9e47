//! What tests of refusals need: the problems as pairs, and proof that nothing was changed.

use serde_json::{Value, json};

use super::{Member, TestApp};

/// Everything that a change of a ticket could leave behind.
const FOOTPRINT: &str = "id version stage updatedAt subject description severity targetUrl browser workaround \
     estimatedDeliveryDate promisedDeliveryDate priority pullRequest resolutionNotes assignee { id } \
     history { id } notices { id } alerts { id } clarifications { question answer } \
     visits { stage enteredAt leftAt sla { dueAt } pauses { startedAt endedAt } }";

/// Code and field of problems, as [`TestApp::refusal`] answers them.
pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(code, field)| ((*code).to_owned(), (*field).to_owned())).collect()
}

/// The texts of a list of words.
pub fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// One field of each object of a list.
pub fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    list.as_array().unwrap().iter().map(|object| &object[field]).collect()
}

impl TestApp {
    /// The code of the one top-level error of a request.
    pub async fn error(&self, token: Option<&str>, query: &str, variables: Value) -> String {
        let answer = self.graphql(token, query, variables).await;
        let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("it went well: {answer:#}"));
        assert_eq!(errors.len(), 1, "{answer:#}");
        errors[0]["extensions"]["code"].as_str().unwrap_or("none").to_owned()
    }

    /// The code of the top-level error of a mutation.
    pub async fn mutation_error(&self, token: Option<&str>, mutation: &str, input: Value) -> String {
        let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query =
            format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}");
        self.error(token, &query, json!({ "input": input })).await
    }

    /// Everything that a change of a ticket could leave behind, as staff see it.
    pub async fn footprint(&self, key: &str) -> Value {
        self.ticket(&self.cast.operations, key, FOOTPRINT).await
    }

    /// What a refused mutation of a ticket answers; the ticket must be as it was.
    pub async fn refusal_without_trace(
        &self,
        member: &Member,
        key: &str,
        mutation: &str,
        input: Value,
    ) -> Vec<(String, String)> {
        let mut whole = input;
        whole["ticketId"] = json!(key);
        let before = self.footprint(key).await;
        let problems = self.refusal(member, mutation, whole).await;
        assert_eq!(self.footprint(key).await, before, "{mutation} left a trace");
        problems
    }

    /// What a refused mutation of something else than a ticket answers.
    pub async fn refusal_of(
        &self,
        member: &Member,
        mutation: &str,
        object: &str,
        input: Value,
    ) -> Vec<(String, String)> {
        let payload = self.mutate(member, mutation, input, &format!("object: {object} {{ id }}")).await;
        assert_eq!(payload["object"], Value::Null, "{payload:#}");
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let problems = payload["userErrors"].as_array().unwrap();
        assert!(!problems.is_empty(), "{payload:#}");
        problems.iter().map(|problem| (text(&problem["code"]), text(&problem["field"]))).collect()
    }

    /// The object that a mutation of something else than a ticket answers.
    pub async fn make(&self, member: &Member, mutation: &str, object: &str, input: Value, select: &str) -> Value {
        let mut payload = self.mutate(member, mutation, input, &format!("object: {object} {{ {select} }}")).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["object"].take()
    }

    /// What staff state to file a ticket of `acme`.
    pub async fn filing(&self) -> Value {
        json!({
            "companyId": self.cast.acme.id.to_string(),
            "contactId": self.cast.client.id,
            "facts": self.first_facts().await,
        })
    }

    /// How many tickets there are.
    pub async fn ticket_count(&self) -> u64 {
        let answer = self.ask(&self.cast.operations, "{ tickets { totalCount } }", json!({})).await;
        answer["tickets"]["totalCount"].as_u64().unwrap()
    }
}
