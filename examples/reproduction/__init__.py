"""The paper reproduced: stages that read photographs and write the tables of docs/reproduction."""
