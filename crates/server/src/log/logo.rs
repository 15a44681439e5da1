//! What a person sees first.

use larder_config::Settings;

/// A shelf with jars, and what is worth knowing beside it. Tools read the number of the process from here.
pub(super) fn logo(settings: &Settings, multiplexing_api: &str, workers: usize) -> String {
    let said = [
        format!("Larder {} ({} bit)", env!("CARGO_PKG_VERSION"), usize::BITS),
        String::new(),
        format!("Running in standalone mode, {workers} workers, {multiplexing_api}"),
        format!("Port: {}", settings.port),
        format!("PID: {}", std::process::id()),
    ];
    let drawn = [
        r"   _______________________  ",
        r"  |   __      __      __  | ",
        r"  |  (__)    [__]    (__) | ",
        r"  |  |::|    |##|    |~~| | ",
        r"  |__|__|____|__|____|__|_| ",
    ];
    let lines = drawn.iter().zip(said).map(|(drawn, said)| format!("{drawn}   {said}\n"));
    format!("\n{}\n", lines.collect::<String>())
}
