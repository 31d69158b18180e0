//! Who is calling: from a kernel label to a workload with its identity.
