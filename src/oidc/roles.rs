//! What groups of an issuer mean here.

use entity::vocab::Team;

/// The roles that somebody has by their groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The teams they work in.
    pub teams: Vec<Team>,
    /// The teams they manage.
    pub manages: Vec<Team>,
    /// Whether they administer the deployment.
    pub administrator: bool,
}

/// Group by group, what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping(Vec<(String, Meaning)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Member(Team),
    Manager(Team),
    Administrator,
}

impl Mapping {
    /// Reads `support-ops=OPERATIONS,qa-leads=QA:manager,admins=administrator`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| -> Option<(String, Meaning)> {
            // A group's name may hold an equals sign; a meaning never does.
            let (group, meaning) = entry.rsplit_once('=')?;
            let (group, meaning) = (group.trim(), meaning.trim());
            let meaning = if meaning.eq_ignore_ascii_case("administrator") {
                Meaning::Administrator
            } else {
                let (team, role) = meaning.split_once(':').unwrap_or((meaning, "member"));
                let team = Team::parse(&team.replace(['-', ' '], "_"))?;
                match role.trim().to_ascii_lowercase().as_str() {
                    "member" => Meaning::Member(team),
                    "manager" => Meaning::Manager(team),
                    _ => return None,
                }
            };
            (!group.is_empty()).then(|| (group.to_owned(), meaning))
        };
        let mapping = entries
            .map(|entry| {
                read(entry).ok_or_else(|| {
                    format!("“{entry}” is not like support-ops=OPERATIONS, qa-leads=QA:manager or admins=administrator")
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if mapping.is_empty() { Err("name at least one group".to_owned()) } else { Ok(Self(mapping)) }
    }

    /// What these groups come to.
    pub(super) fn roles(&self, groups: &[String]) -> Roles {
        let mut roles = Roles::default();
        for (_, meaning) in self.0.iter().filter(|(group, _)| groups.contains(group)) {
            match *meaning {
                Meaning::Member(team) => roles.teams.push(team),
                Meaning::Manager(team) => roles.manages.push(team),
                Meaning::Administrator => roles.administrator = true,
            }
        }
        for teams in [&mut roles.teams, &mut roles.manages] {
            teams.sort();
            teams.dedup();
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_mean_teams_managers_and_administrators() {
        let mapping = Mapping::parse(
            "ops=OPERATIONS, qa-leads=QA:manager ,admins=administrator,ou=x=project-manager,o2=operations",
        );
        let roles = mapping.unwrap().roles(&["ops", "qa-leads", "ou=x", "o2", "other"].map(str::to_owned));
        let expected = Roles {
            teams: vec![Team::Operations, Team::ProjectManager],
            manages: vec![Team::Qa],
            administrator: false,
        };
        assert_eq!(roles, expected);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", " , ", "x", "x=", "=QA", "x=QA:boss", "x=nobody", "cn=pm"] {
            assert!(Mapping::parse(text).is_err(), "{text}");
        }
    }
}
