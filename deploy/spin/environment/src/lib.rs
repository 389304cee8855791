//! Stands between a component and Spin: the environment that the component sees is what Spin calls the
//! component's variables, which a platform fills in from its store of secrets. Spin puts it there as a
//! dependency, by `deploy/spin/spin.toml`.

#[cfg(target_family = "wasm")]
mod component {
    #[expect(unsafe_code, reason = "generated from wit/world.wit")]
    mod bindings {
        wit_bindgen::generate!({ path: "wit", world: "adapter", generate_all });
        export!(Adapter with_types_in self);

        use super::Adapter;
    }

    use bindings::exports::wasi::cli::environment::Guest;
    use bindings::wasi::config::store;

    struct Adapter;

    impl Guest for Adapter {
        fn get_environment() -> Vec<(String, String)> {
            // Where Spin cannot say, the component finds nothing set, and says what is missing.
            super::environment(store::get_all().unwrap_or_default())
        }

        fn get_arguments() -> Vec<String> {
            Vec::new()
        }

        fn initial_cwd() -> Option<String> {
            None
        }
    }
}

/// Spin's variables as an environment: `proxmox_host` is `PROXMOX_HOST`. Spin's names have no capitals.
#[cfg(any(target_family = "wasm", test))]
fn environment(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    variables.into_iter().map(|(name, value)| (name.to_ascii_uppercase(), value)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_variable_is_found_under_its_name_in_capitals() {
        let set = vec![("proxmox_host".to_owned(), "pve.example.com".to_owned())];
        assert_eq!(super::environment(set), [("PROXMOX_HOST".to_owned(), "pve.example.com".to_owned())]);
        assert!(super::environment(Vec::new()).is_empty());
    }
}
