//! Contract, conformance, whole-server and real-client tests
